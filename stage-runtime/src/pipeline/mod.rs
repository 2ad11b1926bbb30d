//! Pipelines: all stages of a program, joined, drained and inspected together.
//!
//! | file | contents |
//! |---|---|
//! | `owner` | [`Pipeline`]: join, stop, snapshot, explain |
//! | `group` | [`Group`]: stages that restart together or share a task |
//! | `stages`, `member` | the list of stages that a pipeline and its groups share |
//! | `drain`, `drain_error` | [`Pipeline::drain`]: an end without losing events, and its error |
//! | `watchdog` | [`Pipeline::watchdog`]: a log entry when nothing moves |

mod drain;
mod drain_error;
mod group;
mod member;
mod owner;
mod stages;
mod watchdog;

pub use drain_error::{DrainError, Leftover};
pub use group::Group;
pub(crate) use group::Reservation;
pub(crate) use member::Member;
pub use owner::Pipeline;
