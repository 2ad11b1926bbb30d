//! The stages of a program as one thing.
//!
//! | file | what it is |
//! |---|---|
//! | `owner` | [`Pipeline`]: join, stop, look at |
//! | `group` | [`Group`]: which stages start over together, and which share a task |
//! | `stages`, `member` | what it knows of them |
//! | `drain`, `drain_error` | coming to an end without losing anything |
//! | `watchdog` | saying so when nothing moves |

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
