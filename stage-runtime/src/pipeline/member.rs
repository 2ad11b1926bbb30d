//! A stage, whatever its type.

use std::sync::Arc;

use stage_core::Outcome;

use crate::abort::AbortHandle;
use crate::identity::Identity;

/// A stage, as its pipeline knows it.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) identity: Arc<Identity>,
    pub(crate) task: AbortHandle,
}

impl Member {
    pub(crate) fn new(identity: &Arc<Identity>, task: &AbortHandle) -> Self {
        Self {
            identity: Arc::clone(identity),
            task: task.clone(),
        }
    }

    /// How it ended, if it has.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.identity.outcome.get()
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) -> Outcome {
        self.identity.outcome.wait().await
    }
}
