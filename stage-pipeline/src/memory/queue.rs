//! [`MemoryQueue`]: a queue in memory, with leases.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use super::source::MemorySource;
use super::state::MemoryCounts;

/// The options of a [`MemoryQueue`].
#[derive(Debug, Clone, Copy)]
pub struct MemoryOptions {
    visibility: Duration,
}

impl MemoryOptions {
    /// Returns the default options: leases last for 30 s, and are extended while their
    /// source runs.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            visibility: Duration::from_secs(30),
        }
    }

    /// Sets how long a lease lasts that is neither settled nor extended.
    #[must_use]
    pub const fn visibility(mut self, visibility: Duration) -> Self {
        self.visibility = visibility;
        self
    }
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// A queue in memory whose messages are leased, and delivered again unless they are
/// settled. A clone is the same queue.
///
/// It keeps the order of messages with the same key, and it keeps rejected messages. A
/// message is cloned for each delivery. It has no bound; [`enqueue`](Self::enqueue) never
/// waits.
///
/// ```
/// use stage_pipeline::memory::MemoryQueue;
///
/// let queue = MemoryQueue::new();
/// queue.enqueue("a message");
/// assert_eq!(queue.counts().waiting, 1);
/// ```
pub struct MemoryQueue<T> {
    shared: Arc<Shared<T>>,
}

/// A message that a queue in memory does not deliver any more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryDeadLetter<T> {
    /// The number that [`MemoryQueue::enqueue`] returned.
    pub id: u64,
    /// The data.
    pub data: T,
    /// The number of its deliveries.
    pub deliveries: u32,
    /// Why it was rejected.
    pub reason: Option<Arc<str>>,
}

impl<T: Clone + Send + 'static> MemoryQueue<T> {
    /// Makes an empty queue with the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(MemoryOptions::new())
    }

    /// Makes an empty queue.
    #[must_use]
    pub fn with_options(options: MemoryOptions) -> Self {
        let MemoryOptions { visibility } = options;
        let shared = Shared::new(visibility);
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Adds a message; returns its number.
    pub fn enqueue(&self, data: T) -> u64 {
        let id = self.shared.state.lock().enqueue(data, None);
        self.shared.wake();
        id
    }

    /// Adds a message with a key; returns its number.
    pub fn enqueue_with_key(&self, key: impl Into<Arc<str>>, data: T) -> u64 {
        let id = self.shared.state.lock().enqueue(data, Some(key.into()));
        self.shared.wake();
        id
    }

    /// Adds messages.
    pub fn enqueue_all(&self, all: impl IntoIterator<Item = T>) {
        let mut state = self.shared.state.lock();
        for data in all {
            state.enqueue(data, None);
        }
        drop(state);
        self.shared.wake();
    }

    /// Says that no more messages will come: sources end once everything is settled.
    /// Until then a message may come again, so the last batch waits for its timeout.
    pub fn close(&self) {
        self.shared.state.lock().closed = true;
        self.shared.wake();
    }

    /// Returns a source of the messages; there may be several.
    #[must_use]
    pub fn source(&self) -> MemorySource<T> {
        MemorySource::new(Arc::clone(&self.shared))
    }

    /// Returns what became of the messages.
    #[must_use]
    pub fn counts(&self) -> MemoryCounts {
        self.shared.state.lock().counts()
    }

    /// Returns the rejected messages, in the order in which they were.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<MemoryDeadLetter<T>> {
        let state = self.shared.state.lock();
        let dead = state.dead.iter().cloned();
        dead.map(|(id, data, deliveries, reason)| MemoryDeadLetter {
            id,
            data,
            deliveries,
            reason,
        })
        .collect()
    }
}

impl<T> Clone for MemoryQueue<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T: Clone + Send + 'static> Default for MemoryQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for MemoryQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryQueue").finish_non_exhaustive()
    }
}
