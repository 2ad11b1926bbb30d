//! A stage, whatever its type.

use std::sync::Arc;

use stage_core::Outcome;

use crate::abort::AbortHandle;
use crate::shared::StageShared;

/// A stage, as its pipeline knows it.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) shared: Arc<StageShared>,
    pub(crate) task: AbortHandle,
}

impl Member {
    pub(crate) fn new(shared: &Arc<StageShared>, task: &AbortHandle) -> Self {
        Self {
            shared: Arc::clone(shared),
            task: task.clone(),
        }
    }

    /// How it ended, if it has.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.shared.outcome.get()
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) -> Outcome {
        self.shared.outcome.wait().await
    }
}
