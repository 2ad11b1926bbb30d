//! How a stage has ended, said by its task.

use std::sync::Arc;

use stage_core::Outcome;

use crate::identity::Identity;

/// Says how a stage ends; the task's. Dropped before, it says that the task was
/// dropped, by its runtime for one, before it could.
#[derive(Debug)]
pub(crate) struct OutcomeSender(Arc<Identity>);

impl OutcomeSender {
    pub(crate) const fn new(stage: Arc<Identity>) -> Self {
        Self(stage)
    }

    pub(crate) fn send(&self, outcome: Outcome) {
        self.0.outcome.set(outcome);
    }
}

impl Drop for OutcomeSender {
    fn drop(&mut self) {
        if self.0.outcome.get().is_none() {
            self.send(Outcome::Cancelled("its task was dropped".into()));
        }
    }
}
