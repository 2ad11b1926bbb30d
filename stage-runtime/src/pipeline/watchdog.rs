//! The watchdog: logs an explanation when a pipeline stands still.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Pipeline;
use super::stages::Stages;

impl Pipeline {
    /// Logs an explanation, at warn level, when nothing has moved for `after` while events
    /// are in flight or buffered. Logs it once, until something moves again.
    ///
    /// Spawns a task on the current runtime, which ends when all stages have ended or the
    /// last clone of the pipeline is dropped. On a single-threaded runtime the task cannot
    /// run while a handler blocks the thread; such a handler is logged when it returns.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let pipeline = Pipeline::new();
    /// let numbers = from_iter(1..=3).stage().in_group(&pipeline).spawn();
    /// for_each(|n: i32| println!("{n}")).stage().subscribe_to(&numbers).in_group(&pipeline).spawn();
    /// pipeline.watchdog(Duration::from_secs(10));
    /// pipeline.await
    /// # }
    /// ```
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
