//! Ending a stage in the midst of whatever it does.

use futures::future;
use tokio::task;

/// Has a stage dropped by whoever polls it.
#[derive(Debug, Clone)]
pub(crate) enum AbortHandle {
    /// It has a task of its own.
    Alone(task::AbortHandle),
    /// It shares one.
    CoLocated(future::AbortHandle),
}

impl AbortHandle {
    pub(crate) fn abort(&self) {
        match self {
            Self::Alone(task) => task.abort(),
            Self::CoLocated(stage) => stage.abort(),
        }
    }
}
