//! A stage's reference to its pipeline.

use std::fmt;
use std::sync::Arc;

use stage_core::{Outcome, Reason};

use super::members::PipelineMembers;
use crate::shared::StageShared;

/// A stage's reference to the pipeline that it belongs to.
pub(crate) struct Membership(Arc<PipelineMembers>);

impl Membership {
    /// Makes the reference for a stage of this pipeline.
    pub(super) const fn new(pipeline: Arc<PipelineMembers>) -> Self {
        Self(pipeline)
    }

    /// Restarts the other stages that the strategy of the stage's group names, because
    /// `stage` restarts.
    pub(crate) fn restart_others(&self, stage: &StageShared) {
        let others = self.0.restart_with(stage);
        let reason = Reason::from(format!("`{}` of its group is restarted", stage.name));
        for other in others {
            other.restart(reason.clone());
        }
    }

    /// Stops all other stages of the pipeline, because `stage` has failed for good.
    pub(crate) fn stop_others(&self, stage: &StageShared) {
        let reason = Reason::from(format!("`{}` of its pipeline failed", stage.name));
        self.0.stop(None, &reason, Some(stage.id));
    }

    /// Sets the outcome of `stage` and moves it to the stages that have ended. Does
    /// nothing if it has an outcome.
    pub(crate) fn end(&self, stage: &Arc<StageShared>, outcome: Outcome) {
        self.0.end(stage, outcome);
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").finish_non_exhaustive()
    }
}
