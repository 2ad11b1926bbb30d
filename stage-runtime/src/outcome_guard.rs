//! The task's handle to the shared state, which guarantees an outcome.

use std::ops::Deref;
use std::sync::Arc;

use stage_core::Outcome;

use crate::shared::StageShared;

/// The task's handle to the shared state of its stage. Dropped without an outcome, it
/// records "its task was dropped".
#[derive(Debug)]
pub(crate) struct OutcomeGuard(Arc<StageShared>);

impl OutcomeGuard {
    /// Makes the guard of a stage that has not run yet.
    pub(crate) const fn new(stage: Arc<StageShared>) -> Self {
        Self(stage)
    }

    /// Returns the shared state.
    pub(crate) const fn arc(&self) -> &Arc<StageShared> {
        &self.0
    }

    /// Publishes the outcome of the stage; the first call counts.
    pub(crate) fn send(&self, outcome: Outcome) {
        self.0.outcome.set(outcome);
    }
}

impl Deref for OutcomeGuard {
    type Target = StageShared;

    fn deref(&self) -> &StageShared {
        &self.0
    }
}

impl Drop for OutcomeGuard {
    fn drop(&mut self) {
        if self.0.outcome.get().is_none() {
            // The state is dropped already. The number that it held when the task
            // last parked is the best one there is.
            let held = self.0.counters.held.get();
            if held > 0 {
                let held = usize::try_from(held).unwrap_or(usize::MAX);
                self.0.counters.drop_held(self.0.kind.consumes(), held);
            }
            self.send(Outcome::Cancelled("its task was dropped".into()));
        }
    }
}
