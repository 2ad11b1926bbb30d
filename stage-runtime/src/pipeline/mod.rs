//! Pipelines: all stages of a program, joined, drained and inspected together.
//!
//! | file | contents |
//! |---|---|
//! | `owner` | [`Pipeline`]: join, stop, snapshot, explain |
//! | `group` | [`Group`]: stages that restart together or share a task |
//! | `stages`, `members`, `member` | the list of stages that a pipeline, its groups and its stages share |
//! | `membership` | a stage's reference to that list |
//! | `ended`, `first_failure` | what is left of stages that have ended |
//! | `drain`, `drain_error` | [`Pipeline::drain`]: an end without losing events, and its error |
//! | `watchdog` | [`Pipeline::watchdog`]: a log entry when nothing moves |

mod drain;
mod drain_error;
mod ended;
mod first_failure;
mod group;
mod member;
mod members;
mod membership;
mod owner;
mod stages;
mod watchdog;

pub use drain_error::{DrainError, Leftover};
pub use group::Group;
pub(crate) use group::Reservation;
pub(crate) use membership::Membership;
pub use owner::Pipeline;
