//! What a run of `cycle` does, and for how long: the same for ours and for the peers.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Bytes of a message.
pub(super) const BYTES: usize = 256;

/// What is done, by ours and by the peers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    /// Whether commits are synced to the disk.
    pub(super) full: bool,
    /// Messages that are enqueued, leased and acknowledged at a time.
    pub(super) group: usize,
    pub(super) callers: usize,
    /// Messages that wait in the queue all the time.
    pub(super) backlog: usize,
}

/// How long a run lasts, and how long it took.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    time: Duration,
    started: Arc<OnceLock<Instant>>,
    took: Arc<OnceLock<Duration>>,
}

impl Clock {
    pub(super) fn new(time: Duration) -> Self {
        Self {
            time,
            started: Arc::default(),
            took: Arc::default(),
        }
    }

    pub(super) fn start(&self) {
        self.started.get_or_init(Instant::now);
    }

    pub(super) fn is_over(&self) -> bool {
        self.elapsed() >= self.time
    }

    /// Ends the time, if that is not to be when the run returns.
    pub(super) fn stop(&self) {
        self.took.get_or_init(|| self.elapsed());
    }

    /// Ends the time, and returns how long it was.
    pub(super) fn took(&self) -> Duration {
        self.stop();
        self.took.get().copied().unwrap_or_default()
    }

    fn elapsed(&self) -> Duration {
        self.started.get().map_or(Duration::ZERO, Instant::elapsed)
    }
}

/// The payload of every message. Not all zeros: a file system may store those as a hole.
pub(super) fn payload() -> [u8; BYTES] {
    std::array::from_fn(|at| at as u8)
}
