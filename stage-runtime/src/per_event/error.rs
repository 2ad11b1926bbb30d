//! [`PerEventError`]: the error of stages that run a task for every event.

use std::time::Duration;

use stage_core::BoxError;
use thiserror::Error;

use super::ChildId;

/// An error of the children of a [`per_event`](super::per_event) stage.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PerEventError {
    /// Children failed too often. The stage fails with this error.
    #[error(
        "children had to be restarted more than {max_restarts} times within {within:?}, at last because of: {last}; fix the children, or raise `max_restarts`"
    )]
    TooManyRestarts {
        /// The maximum number of restarts within the period.
        max_restarts: usize,
        /// The period over which restarts are counted.
        within: Duration,
        /// The error of the child that failed last.
        last: BoxError,
    },
    /// A child panicked, or the closure that creates its future did.
    #[error("the child panicked: {message}")]
    Panicked {
        /// The message of the panic.
        message: String,
    },
    /// No child with this id is running: it has ended, or there never was one.
    #[error("{id} is not running; `ListChildren` says which are")]
    NoSuchChild {
        /// The id in the message.
        id: ChildId,
    },
}
