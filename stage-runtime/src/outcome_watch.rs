//! How a stage has ended, for whoever holds a reference to it.

use stage_core::Outcome;
use tokio::sync::watch;

/// Learns how a stage ends.
#[derive(Debug, Clone)]
pub(crate) struct OutcomeWatch(watch::Receiver<Option<Outcome>>);

impl OutcomeWatch {
    /// With the sender, for the stage.
    pub(crate) fn new() -> (watch::Sender<Option<Outcome>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }

    /// How it ended, if it has.
    pub(crate) fn get(&self) -> Option<Outcome> {
        let outcome = self.0.borrow().clone();
        outcome.or_else(|| self.0.has_changed().is_err().then(dropped))
    }

    /// Waits until it has ended.
    pub(crate) async fn wait(&self) -> Outcome {
        let mut outcome = self.0.clone();
        match outcome.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone(),
            Err(_) => None,
        }
        .unwrap_or_else(dropped)
    }
}

/// The task was dropped, by its runtime for one, before it could say.
fn dropped() -> Outcome {
    Outcome::Cancelled("its task was dropped".into())
}
