//! Aborting a stage: dropping its future, even inside a handler.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::{runtime, task};

use crate::co_located::StageWaker;

/// Aborts one stage.
#[derive(Debug, Clone)]
pub(crate) enum AbortHandle {
    /// The stage has a task of its own.
    Alone(task::AbortHandle),
    /// The stage shares the task of its group.
    CoLocated(Arc<StageWaker>),
}

impl AbortHandle {
    /// Spawns `stage` on a task of its own.
    pub(crate) fn spawn(
        runtime: &runtime::Handle,
        stage: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        // Boxed, because tokio moves the future several times while spawning, keeps its
        // memory as long as there is an abort handle, and compiles the task for each
        // type of future.
        let stage: BoxFuture<'static, ()> = Box::pin(stage);
        Self::Alone(runtime.spawn(stage).abort_handle())
    }

    /// Drops the future of the stage when its task next yields.
    pub(crate) fn abort(&self) {
        match self {
            Self::Alone(task) => task.abort(),
            Self::CoLocated(stage) => stage.abort(),
        }
    }
}
