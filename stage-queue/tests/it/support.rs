//! What the tests share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stage_queue::{
    Durability, LeaseOptions, Leased, ManualClock, Queue, QueueOptions, Topic, TopicStats,
};
use tempfile::TempDir;

/// A queue in a directory of its own, with a clock that stands still.
pub(crate) struct Fixture {
    pub(crate) queue: Queue,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) dir: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(|options| options)
    }

    pub(crate) fn with(options: impl FnOnce(QueueOptions) -> QueueOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(1_000_000));
        let queue = Queue::open(dir.path().join("queue.db"), options(fast(&clock))).unwrap();
        Self { queue, clock, dir }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("queue.db")
    }

    /// Closes the queue, and opens the file again.
    pub(crate) async fn reopen(self) -> Self {
        self.queue.close().await.unwrap();
        let Self { dir, clock, .. } = self;
        let queue = Queue::open(dir.path().join("queue.db"), fast(&clock)).unwrap();
        Self { queue, clock, dir }
    }

    pub(crate) fn advance(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    pub(crate) async fn stats(&self, topic: &str) -> TopicStats {
        stats(&self.queue, topic).await
    }
}

/// Options for tests that do not cut the power.
pub(crate) fn fast(clock: &Arc<ManualClock>) -> QueueOptions {
    QueueOptions::new()
        .durability(Durability::ProcessOnly)
        .poll_interval(Duration::from_millis(5))
        .clock(Arc::<ManualClock>::clone(clock))
}

pub(crate) async fn stats(queue: &Queue, topic: &str) -> TopicStats {
    let stats = queue.stats().await.unwrap();
    stats
        .topics
        .into_iter()
        .find(|one| &*one.topic == topic)
        .unwrap_or_default()
}

pub(crate) async fn lease(topic: &Topic, count: usize) -> Vec<Leased> {
    let mut out = Vec::new();
    topic
        .lease(count, LeaseOptions::new(), &mut out)
        .await
        .unwrap();
    out
}

/// Waits for `future`, but not for ever: a test fails where it would hang.
#[track_caller]
pub(crate) fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(Duration::from_secs(60), future).await {
            Ok(output) => output,
            Err(_) => panic!("it hangs: {caller}"),
        }
    }
}

pub(crate) fn payloads(leased: &[Leased]) -> Vec<String> {
    leased
        .iter()
        .map(|one| String::from_utf8(one.payload.clone()).unwrap())
        .collect()
}
