//! The task of a stage: one loop for producers, producer-consumers and
//! consumers.
//!
//! The loop takes what has arrived, calls the protocol in `stage-core`, runs
//! the handler, and sends what the protocol said to send.
//!
//! | file | what it is |
//! |---|---|
//! | `task` | its life: it starts, takes turns, starts over, ends |
//! | `turn` | the loop itself |
//! | `news` | what others have left: asks, events, subscriptions, messages |
//! | `work` | what the stage does of itself: running its handlers |
//! | `ending` | its end |
//! | `revival` | its new start, if it is supervised |
//! | `flow` | how the loop is left, and what in it is seldom |
//! | `inlets`, `current`, `producer` | its halves as a consumer and as a producer |
//! | `halves` | what either half is where it is missing |
//! | `handler` | the user's code, guarded |
//! | `timed` | how long that takes |
//! | `role` | what tells the three kinds of stage apart |
//! | `timers` | the delays its handlers have asked for |

mod callbacks;
mod consumer_half;
mod current_batch;
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
