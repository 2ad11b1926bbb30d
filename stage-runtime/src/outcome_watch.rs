//! The outcome of a stage, set once and awaited by any number of tasks.

use std::pin::pin;
use std::sync::OnceLock;

use stage_core::Outcome;
use tokio::sync::Notify;

/// A cell for the outcome of a stage that tasks can wait for.
#[derive(Debug, Default)]
pub(crate) struct OutcomeWatch {
    outcome: OnceLock<Outcome>,
    /// Wakes the tasks in [`wait`](Self::wait).
    ended: Notify,
}

impl OutcomeWatch {
    /// Returns the outcome if the stage has ended.
    pub(crate) fn get(&self) -> Option<Outcome> {
        self.outcome.get().cloned()
    }

    /// Waits until the stage has ended, and returns its outcome.
    pub(crate) async fn wait(&self) -> Outcome {
        loop {
            let mut ended = pin!(self.ended.notified());
            // Enabled before the outcome is read, so that an end between the two is
            // not missed.
            ended.as_mut().enable();
            if let Some(outcome) = self.get() {
                return outcome;
            }
            ended.await;
        }
    }

    /// Sets the outcome; the first call counts. The caller then calls
    /// [`notify`](Self::notify), outside of its locks.
    pub(crate) fn set(&self, outcome: Outcome) {
        let _ = self.outcome.set(outcome);
    }

    /// Wakes all tasks that wait for the outcome.
    pub(crate) fn notify(&self) {
        self.ended.notify_waiters();
    }
}
