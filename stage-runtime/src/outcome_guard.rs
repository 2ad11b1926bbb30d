//! How a stage has ended, said by its task.

use std::ops::Deref;
use std::sync::Arc;

use stage_core::Outcome;

use crate::shared::StageShared;

/// Who a stage is, for its task, and where that says how it ends. Dropped before that, it says that the task was
/// dropped, by its runtime for one, before it could.
#[derive(Debug)]
pub(crate) struct OutcomeGuard(Arc<StageShared>);

impl OutcomeGuard {
    pub(crate) const fn new(stage: Arc<StageShared>) -> Self {
        Self(stage)
    }

    pub(crate) const fn arc(&self) -> &Arc<StageShared> {
        &self.0
    }

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
            // Its state is gone: what it held at its last rest is as much as there
            // is to know.
            let held = self.0.counters.held.get();
            if held > 0 {
                let held = usize::try_from(held).unwrap_or(usize::MAX);
                self.0.counters.drop_held(self.0.kind.consumes(), held);
            }
            self.send(Outcome::Cancelled("its task was dropped".into()));
        }
    }
}
