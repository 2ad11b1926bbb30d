//! The task's handle to the shared state, which guarantees an outcome.

use std::ops::Deref;
use std::sync::Arc;

use stage_core::Outcome;

use crate::pipeline::Membership;
use crate::shared::StageShared;

/// The task's handle to the shared state of its stage. Dropped without an outcome, it
/// records "its task was dropped".
#[derive(Debug)]
pub(crate) struct OutcomeGuard {
    stage: Arc<StageShared>,
    /// The pipeline that the stage belongs to, if it is in one.
    membership: Option<Membership>,
}

impl OutcomeGuard {
    /// Makes the guard of a stage that has not run yet.
    pub(crate) const fn new(stage: Arc<StageShared>, membership: Option<Membership>) -> Self {
        Self { stage, membership }
    }

    /// Returns the shared state.
    pub(crate) const fn arc(&self) -> &Arc<StageShared> {
        &self.stage
    }

    /// Returns the stage's reference to its pipeline, if it is in one.
    pub(crate) const fn membership(&self) -> Option<&Membership> {
        self.membership.as_ref()
    }

    /// Publishes the outcome of the stage; the first call counts. From then on the
    /// pipeline counts the stage among those that have ended.
    pub(crate) fn send(&self, outcome: Outcome) {
        match &self.membership {
            Some(pipeline) => pipeline.end(&self.stage, outcome),
            None => {
                self.stage.outcome.set(outcome);
                self.stage.outcome.notify();
            }
        }
    }
}

impl Deref for OutcomeGuard {
    type Target = StageShared;

    fn deref(&self) -> &StageShared {
        &self.stage
    }
}

impl Drop for OutcomeGuard {
    fn drop(&mut self) {
        if self.stage.outcome.get().is_none() {
            // The state is dropped already. The number that it held when the task
            // last parked is the best one there is.
            let held = self.stage.counters.held.get();
            if held > 0 {
                let held = usize::try_from(held).unwrap_or(usize::MAX);
                self.stage
                    .counters
                    .drop_held(self.stage.kind.consumes(), held);
            }
            self.send(Outcome::Cancelled("its task was dropped".into()));
        }
    }
}
