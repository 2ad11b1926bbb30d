//! Options of queues, topics and leases.

use std::sync::Arc;
use std::time::Duration;

use crate::{Clock, QueueError, SystemClock};

/// What an answered [`enqueue`](crate::Topic::enqueue) or
/// [`settle`](crate::Queue::settle) survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A power cut: each group of commands is synced to the disk before it is answered.
    #[default]
    Full,
    /// The end of the process in any way, `kill -9` included, but not of the machine: a
    /// power cut or a crash of the system may lose what was answered last. The file stays
    /// intact, and several times as many groups a second are written.
    ProcessOnly,
}

/// Options of a queue.
///
/// | | default |
/// |---|---|
/// | [`durability`](Self::durability) | [`Full`](Durability::Full) |
/// | [`visibility_timeout`](Self::visibility_timeout) | 30 s |
/// | [`poll_interval`](Self::poll_interval) | 200 ms |
/// | [`max_file_bytes`](Self::max_file_bytes) | no bound |
/// | [`clock`](Self::clock) | [`SystemClock`] |
///
/// ```
/// use std::time::Duration;
/// use stage_queue::{Durability, QueueOptions};
///
/// let options = QueueOptions::new()
///     .durability(Durability::ProcessOnly)
///     .visibility_timeout(Duration::from_secs(10))
///     .max_file_bytes(1 << 30);
/// ```
#[derive(Debug, Clone)]
pub struct QueueOptions {
    pub(crate) durability: Durability,
    pub(crate) visibility_timeout: Duration,
    pub(crate) poll_interval: Duration,
    pub(crate) max_file_bytes: Option<u64>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl QueueOptions {
    /// Returns the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            durability: Durability::Full,
            visibility_timeout: Duration::from_secs(30),
            poll_interval: Duration::from_millis(200),
            max_file_bytes: None,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Sets what an answered command survives.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets after how long the leases of a process that hangs end. Allowed: 100 ms to 1
    /// day.
    ///
    /// While a queue is open, its writer thread extends all its leases together, four times
    /// within this period: a message may be processed, or wait in a batcher, for as long as
    /// it takes. Leases of a process that has died end at once, when another process looks.
    #[must_use]
    pub const fn visibility_timeout(mut self, timeout: Duration) -> Self {
        self.visibility_timeout = timeout;
        self
    }

    /// Sets how often the queue looks for what other processes have enqueued, while somebody
    /// waits for messages, and for processes that have died. Allowed: 1 ms to 1 minute.
    #[must_use]
    pub const fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// Bounds the size of the file, without its write-ahead log. Allowed: 1 MiB and more.
    ///
    /// Only enqueueing is refused, or waits: a sixteenth of the bound is kept back for
    /// leases, verdicts and dead letters. What a full topic does is
    /// [`TopicOptions::when_full`].
    #[must_use]
    pub const fn max_file_bytes(mut self, bytes: u64) -> Self {
        self.max_file_bytes = Some(bytes);
        self
    }

    /// Sets the clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    pub(crate) fn check(&self) -> Result<(), QueueError> {
        let day = Duration::from_secs(24 * 3600);
        within(
            "visibility_timeout",
            self.visibility_timeout,
            Duration::from_millis(100),
            day,
        )?;
        within(
            "poll_interval",
            self.poll_interval,
            Duration::from_millis(1),
            Duration::from_secs(60),
        )?;
        match self.max_file_bytes {
            Some(bytes) if bytes < 1 << 20 => Err(QueueError::Option {
                option: "max_file_bytes",
                value: bytes.to_string(),
                allowed: "1048576 (1 MiB) and more".into(),
            }),
            _ => Ok(()),
        }
    }
}

fn within(
    option: &'static str,
    value: Duration,
    least: Duration,
    most: Duration,
) -> Result<(), QueueError> {
    if value < least || value > most {
        let allowed = format!("{least:?} to {most:?}");
        return Err(QueueError::Option {
            option,
            value: format!("{value:?}"),
            allowed,
        });
    }
    Ok(())
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// What [`enqueue`](crate::Topic::enqueue) does when a topic or the file is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// It waits for room. Those who wait get it in the order in which they came.
    #[default]
    Wait,
    /// It fails with [`QueueError::Full`].
    Refuse,
    /// It drops the oldest messages of the lowest priority that are ready. They are counted
    /// as [`dropped`](crate::TopicStats::dropped). If too few are ready, it fails with
    /// [`QueueError::Full`].
    DropOldest,
}

/// Options of a topic.
///
/// | | default | kept |
/// |---|---|---|
/// | [`ordered`](Self::ordered) | false | in the file: the same for all processes, for ever |
/// | [`max_messages`](Self::max_messages), [`max_bytes`](Self::max_bytes) | no bound | in this process |
/// | [`when_full`](Self::when_full) | [`Wait`](WhenFull::Wait) | in this process |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TopicOptions {
    pub(crate) ordered: bool,
    pub(crate) max_messages: Option<u64>,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) when_full: WhenFull,
}

impl TopicOptions {
    /// Returns the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ordered: false,
            max_messages: None,
            max_bytes: None,
            when_full: WhenFull::Wait,
        }
    }

    /// Keeps the order of messages with the same [key](crate::NewMessage::with_key).
    ///
    /// A message is not leased while an earlier one of its key waits to be retried, or is
    /// leased by another process. This process may be given messages of a key while it holds
    /// earlier ones of that key: whoever leases several keeps them in order. Messages of an
    /// ordered topic have no priorities.
    #[must_use]
    pub const fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// Bounds the number of messages that are ready, delayed or leased.
    #[must_use]
    pub const fn max_messages(mut self, messages: u64) -> Self {
        self.max_messages = Some(messages);
        self
    }

    /// Bounds the payloads, keys and headers of messages that are ready, delayed or leased,
    /// in bytes.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Sets what to do with a message for which there is no room.
    #[must_use]
    pub const fn when_full(mut self, policy: WhenFull) -> Self {
        self.when_full = policy;
        self
    }
}

/// Options of a lease.
///
/// A lease belongs to a node: to one opening of the queue by one process. It ends when it is
/// settled, when the queue is closed, when its process dies, or when its process has not
/// written a heartbeat for its
/// [`visibility_timeout`](QueueOptions::visibility_timeout). Others notice a dead process by
/// its lock file at once, and a missing heartbeat by their own monotonic clock; so no jump of
/// a wall clock ends a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeaseOptions {
    pub(crate) max_deliveries: Option<u32>,
}

impl LeaseOptions {
    /// Returns the defaults: no cap of deliveries.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_deliveries: None,
        }
    }

    /// Sets how often a message is delivered at most. One that was delivered that often
    /// becomes a dead letter when it would be leased again: so a message that kills its
    /// process is found out by the next one.
    #[must_use]
    pub const fn max_deliveries(mut self, deliveries: u32) -> Self {
        self.max_deliveries = Some(deliveries);
        self
    }
}
