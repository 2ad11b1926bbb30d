//! Saying so when nothing moves.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Pipeline;
use super::stages::Stages;

impl Pipeline {
    /// Logs an explanation, at warn level, when nothing has moved for `after`
    /// while events are in flight or buffered; once, until something moves
    /// again.
    ///
    /// It is a task on the current runtime, which ends with the stages or the
    /// last of the pipeline's handles. On a single-threaded runtime it cannot
    /// run while a handler blocks the thread; that is logged when the handler
    /// returns.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as `tokio::spawn` does.
    pub fn watchdog(&self, after: Duration) {
        let stages = Arc::downgrade(&self.root.stages);
        tokio::spawn(watch(stages, after));
    }
}

async fn watch(stages: Weak<Stages>, after: Duration) {
    let pause = (after / 4).max(Duration::from_millis(1));
    let mut last = None;
    let mut since = Instant::now();
    let mut reported = false;
    loop {
        sleep(pause).await;
        let Some(stages) = stages.upgrade() else {
            return;
        };
        if stages.have_ended() {
            return;
        }
        let snapshot = stages.snapshot();
        let now = Some(snapshot.progress());
        if now != last {
            last = now;
            since = Instant::now();
            reported = false;
        } else if !reported && since.elapsed() >= after && snapshot.has_work() {
            reported = true;
            let stuck = since.elapsed();
            tracing::warn!(?stuck, explanation = %snapshot.explain(after), "nothing moves");
        }
    }
}
