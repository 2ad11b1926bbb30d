//! One task per event: a consumer that starts a *child* for every event, at most as many at
//! a time as it asks for.
//!
//! | file | contents |
//! |---|---|
//! | `stage` | [`PerEvent`]: the stage and its options |
//! | `consumer` | its handlers as a consumer |
//! | `messages` | its messages: start, stop, list and count children |
//! | `supervise` | starting children, and reaping those that have ended |
//! | `work` | [`ChildWork`]: the closure that makes the future of a child |
//! | `children` | the running children and their counts |
//! | `worker` | the tasks in which children run |
//! | `reports` | the queue in which these tasks report the end of a child |
//! | `asks` | when to ask for more events: plain arithmetic |
//! | `restart` | [`ChildRestart`]: whether a failed child restarts |
//! | `shutdown` | [`Shutdown`] and [`ShutdownSignal`]: stopping children |
//! | `counts` | [`ChildCounts`] and [`ChildInfo`] |
//! | `error` | [`PerEventError`] |

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
