//! What can go wrong with children.

use std::time::Duration;

use stage_core::BoxError;
use thiserror::Error;

use super::ChildId;

/// What can go wrong with the children of a [`per_event`](super::per_event)
/// stage.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PerEventError {
    /// Children failed too often: the stage has ended for it.
    #[error(
        "children had to be restarted more than {max_restarts} times within {within:?}, at last because of: {last}; mend the children, or raise `max_restarts`"
    )]
    TooManyRestarts {
        /// How many restarts there may be.
        max_restarts: usize,
        /// The span of time they were counted in.
        within: Duration,
        /// Why the last child failed.
        last: BoxError,
    },
    /// A child panicked, or the closure that makes its future did.
    #[error("the child panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// There is no such child: it has ended, or it never was.
    #[error("{id} is not running; `ListChildren` says which are")]
    NoSuchChild {
        /// The child that was named.
        id: ChildId,
    },
}
