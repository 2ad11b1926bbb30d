//! A stage with its type erased, as its pipeline holds it.

use std::sync::Arc;

use stage_core::Outcome;

use crate::abort::AbortHandle;
use crate::shared::StageShared;

/// A stage of a pipeline.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) shared: Arc<StageShared>,
    pub(crate) task: AbortHandle,
}

impl Member {
    /// Makes a member of a stage that runs.
    pub(crate) fn new(shared: &Arc<StageShared>, task: &AbortHandle) -> Self {
        Self {
            shared: Arc::clone(shared),
            task: task.clone(),
        }
    }

    /// Returns the outcome if the stage has ended.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.shared.outcome.get()
    }

    /// Waits until the stage has ended, and returns its outcome.
    pub(crate) async fn ended(&self) -> Outcome {
        self.shared.outcome.wait().await
    }
}
