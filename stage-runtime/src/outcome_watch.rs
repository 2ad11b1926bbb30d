//! How a stage has ended, for whoever holds a reference to it.

use std::pin::pin;
use std::sync::{Arc, OnceLock};

use stage_core::Outcome;
use tokio::sync::Notify;

use crate::identity::Identity;

/// Learns how a stage ends.
#[derive(Debug, Default)]
pub(crate) struct OutcomeWatch {
    outcome: OnceLock<Outcome>,
    ended: Notify,
}

impl OutcomeWatch {
    /// How it ended, if it has.
    pub(crate) fn get(&self) -> Option<Outcome> {
        self.outcome.get().cloned()
    }

    /// Waits until it has ended.
    pub(crate) async fn wait(&self) -> Outcome {
        loop {
            let mut ended = pin!(self.ended.notified());
            // Before the look: an end between the two is not missed.
            ended.as_mut().enable();
            if let Some(outcome) = self.get() {
                return outcome;
            }
            ended.await;
        }
    }

    fn set(&self, outcome: Outcome) {
        if self.outcome.set(outcome).is_ok() {
            self.ended.notify_waiters();
        }
    }
}

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
        if self.0.outcome.outcome.get().is_none() {
            self.send(Outcome::Cancelled("its task was dropped".into()));
        }
    }
}
