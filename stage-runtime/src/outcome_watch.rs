//! How a stage has ended, for whoever holds a reference to it.

use std::pin::pin;
use std::sync::OnceLock;

use stage_core::Outcome;
use tokio::sync::Notify;

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

    /// Says so; the first time counts.
    pub(crate) fn set(&self, outcome: Outcome) {
        if self.outcome.set(outcome).is_ok() {
            self.ended.notify_waiters();
        }
    }
}
