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
//! | `inlets`, `in_hand`, `outlet` | its halves as a consumer and as a producer |
//! | `halves` | what either half is where it is missing |
//! | `handler` | the user's code, guarded |
//! | `timed` | how long that takes |
//! | `role` | what tells the three kinds of stage apart |
//! | `timers` | the delays its handlers have asked for |

mod ending;
mod flow;
mod halves;
mod handler;
mod in_hand;
mod inlets;
mod news;
mod outlet;
mod revival;
mod role;
mod task;
mod timed;
mod timers;
mod turn;
mod work;

pub(crate) use inlets::InletOptions;
pub(crate) use outlet::OutletOptions;
pub(crate) use role::{ConsumerRole, ProducerConsumerRole, ProducerRole, Role};
pub(crate) use task::{StageTask, TaskOptions};
