//! The task of a stage: one event loop for producers, producer-consumers and
//! consumers.
//!
//! The loop fetches what the links have, lets the protocol in `stage-core`
//! decide, runs a handler of the user, and sends what the protocol decided on.
//!
//! | file | contents |
//! |---|---|
//! | `task` | [`StageTask`]: a stage from start to end, with its restarts |
//! | `event_loop` | the loop itself, and parking the task |
//! | `receive` | input from outside: links, control requests, messages |
//! | `callbacks` | the calls of the user's handlers |
//! | `effects` | the effects of a call: events, and commands of the handler |
//! | `completion` | the way of a stage to its completion |
//! | `ending` | the end of a stage |
//! | `restart` | the restart of a supervised stage |
//! | `flow` | the result of a step of the loop; hints for cold paths |
//! | `consumer_half/` | `ConsumerHalf`: the links to producers, and what arrived over them |
//! | `current_batch` | the batch that a handler is working on |
//! | `producer_half/` | `ProducerHalf`: the dispatcher, and the links to consumers |
//! | `halves` | the traits of the two halves, and their empty implementations |
//! | `user_stage` | the user's stage, its emitter, and the guard around a handler |
//! | `timed` | a future that measures a handler |
//! | `role` | [`Role`]: one interface to the three kinds of stage |
//! | `timers` | the delays that handlers have asked for |
//!
//! # How an event goes down
//!
//! From the handler of a producer to the handler of its consumer, with one
//! subscriber and the dispatcher `Demand`:
//!
//! 1. `role`: `Role::handle_demand` (in a producer-consumer `handle_events`)
//!    calls the user's handler. It emits into the buffer that
//!    `UserStage::open` in `user_stage` has lent it.
//! 2. `effects`: `StageTask::finish_handler` and `apply_effects` pass the
//!    buffer to the producer half.
//! 3. `producer_half`: `ProducerHalf::emit` passes it to `ProducerSide::emit` in
//!    `stage-core`. That asks the dispatcher, which writes deliveries into the
//!    `Outbox`; `apply_outbox` and `send` take them out again.
//! 4. `link/producer_end`: `ProducerEnd::send` puts the batch on the queue of
//!    the link, under the lock of the link.
//! 5. `link/state`: `Link::to_consumer` notifies the consumer, unless that was
//!    notified already and has not fetched since. `Notifier::notify_from_producer`
//!    sets a flag; if the consumer's task is parked, it is woken.
//! 6. `event_loop`: in the consumer's task `park` returns and `run_loop` takes
//!    the flags.
//! 7. `receive`: `StageTask::fetch` and `fetch_producers` call
//!    `ConsumerHalf::fetch`, and `ConsumerEnd::fetch` swaps the queue of the
//!    link with that of the consumer half.
//! 8. `callbacks`: `has_work` holds, so `call_handler` and `handle_input` take
//!    the batch from `ConsumerHalf::next`, which cuts it to the batch limit and
//!    remembers it as the `CurrentBatch`.
//! 9. `role`: `Role::handle_events` lends the batch to the user's handler.
//!
//! # How an ask goes up
//!
//! From the handler of a consumer to the handler of its producer:
//!
//! 1. `callbacks`: the handler has returned, so `handle_input` calls
//!    `ConsumerHalf::handled`.
//! 2. `consumer_half`: `DemandWindow::handled` in `stage-core` returns how many
//!    events to ask for, or 0 while more than `min_demand` are pending.
//! 3. `link/consumer_end`: `ConsumerEnd::handled` counts the batch, adds the
//!    demand and leaves the emptied buffer on the link, under its lock.
//! 4. `link/state`: `Link::to_producer` notifies the producer. It wakes a parked
//!    producer, except where that waits for another consumer.
//! 5. `receive`: in the producer's task `StageTask::fetch` and
//!    `fetch_consumers` call `ProducerHalf::fetch`, which takes the demand from
//!    `ProducerEnd::fetch`.
//! 6. `producer_half`: `ProducerSide::ask` in `stage-core` serves the demand from
//!    the buffer first. `apply_outbox` sends that; the remainder is unmet.
//! 7. `callbacks`: `has_work` holds, so `call_handler` and `answer_demand` take
//!    the unmet demand from `ProducerHalf::next_demand`. A producer-consumer
//!    goes on to handle its own input instead: `may_emit` holds again.
//! 8. `role`: `Role::handle_demand` calls the user's handler.
//!
//! # How a wake-up comes in
//!
//! From a waker, or the timer of the stage, to `handle_wake`:
//!
//! 1. `shared`: the waker is the `StageShared` itself. It sets a flag by
//!    `Notifier::notify_wake`, and wakes the task if that is parked. A timer needs no
//!    flag: `park` polls `Timers::poll_due` beside the flags.
//! 2. `event_loop`: `run_loop` takes the flags, or finds that a delay has passed.
//! 3. `receive`: `on_notified` makes unmet demand due, and calls `call_handle_wake` in
//!    `callbacks`. No queue is in between, so nothing delays the call but a handler
//!    that runs.
//! 4. `effects`: `apply_effects` dispatches what the handler has emitted. These
//!    events do queue, behind those in the buffer.

mod callbacks;
mod completion;
mod consumer_half;
mod current_batch;
mod effects;
mod ending;
mod event_loop;
mod flow;
mod halves;
mod producer_half;
mod receive;
mod restart;
mod role;
mod task;
mod timed;
mod timers;
mod user_stage;

pub(crate) use consumer_half::ConsumerOptions;
pub(crate) use producer_half::ProducerOptions;
pub(crate) use role::{ConsumerRole, ProducerConsumerRole, ProducerRole, Role};
pub(crate) use task::{StageTask, TaskOptions};
