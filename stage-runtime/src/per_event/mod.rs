//! One task per event: a consumer that starts a child for every event it gets,
//! and never more of them than it asked for.
//!
//! | file | what it is |
//! |---|---|
//! | `stage` | the stage and its options |
//! | `consumer` | its handlers |
//! | `supervise` | starting children, and dealing with those that have ended |
//! | `work` | the closure that children are made by |
//! | `children` | those that run |
//! | `worker` | the tasks that they run in |
//! | `reports` | how they report that they have ended |
//! | `asks` | when to ask for more: plain arithmetic |
//! | `restart` | which children are started again, and how often |
//! | `shutdown` | how children are stopped |
//! | `counts` | what became of the children |
//! | `messages` | what a running stage can be told |
//! | `error` | what can go wrong |

mod asks;
mod children;
mod consumer;
mod counts;
mod error;
mod messages;
mod reports;
mod restart;
mod shutdown;
mod stage;
mod supervise;
mod work;
mod worker;

pub use counts::{ChildCounts, ChildCountsHandle, ChildId, ChildInfo};
pub use error::PerEventError;
pub use messages::{CountChildren, ListChildren, StartChild, StopChild, Stopping};
pub use restart::ChildRestart;
pub use shutdown::{Shutdown, ShutdownSignal};
pub use stage::{PerEvent, per_event, per_event_with};
pub use work::{ChildWork, Plain, WithSignal};
