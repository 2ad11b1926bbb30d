//! Ending a stage in the midst of whatever it does.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::{runtime, task};

use crate::co_located::StageWaker;

/// Has a stage dropped by whoever polls it.
#[derive(Debug, Clone)]
pub(crate) enum AbortHandle {
    /// It has a task of its own.
    Alone(task::AbortHandle),
    /// It shares one.
    CoLocated(Arc<StageWaker>),
}

impl AbortHandle {
    /// Runs `stage` on a task of its own.
    ///
    /// Boxed here: a task moves what it runs several times, keeps its memory for
    /// as long as anybody may abort it, and would be compiled for each stage.
    pub(crate) fn spawn(
        runtime: &runtime::Handle,
        stage: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let stage: BoxFuture<'static, ()> = Box::pin(stage);
        Self::Alone(runtime.spawn(stage).abort_handle())
    }

    pub(crate) fn abort(&self) {
        match self {
            Self::Alone(task) => task.abort(),
            Self::CoLocated(stage) => stage.abort(),
        }
    }
}
