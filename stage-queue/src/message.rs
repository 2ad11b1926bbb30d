//! [`NewMessage`]: what is enqueued. [`Leased`]: what is delivered.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::clock::{delay_ms, to_ms};
use crate::{Settled, Token, Verdict};

/// The number of a message: unique in its file, and increasing in the order of enqueueing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub u64);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A message to enqueue.
///
/// | | default |
/// |---|---|
/// | [`key`](Self::with_key) | none |
/// | [`priority`](Self::with_priority) | 0 |
/// | [`delay`](Self::with_delay), [`not before`](Self::not_before) | ready at once |
/// | [`deduplication`](Self::deduplicated) | none |
/// | [`headers`](Self::with_header) | none |
///
/// ```
/// use std::time::Duration;
/// use stage_queue::NewMessage;
///
/// let message = NewMessage::new("order 17")
///     .with_key("customer 3")
///     .with_priority(5)
///     .with_delay(Duration::from_secs(60))
///     .deduplicated("order 17", Duration::from_secs(3600))
///     .with_header("type", "order");
/// assert_eq!(message.payload(), b"order 17");
/// ```
#[derive(Debug, Clone)]
pub struct NewMessage {
    pub(crate) payload: Vec<u8>,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) priority: i16,
    pub(crate) ready: Ready,
    pub(crate) deduplicated: Option<Box<Deduplicated>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

/// When a message is ready.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ready {
    Now,
    After(i64),
    At(i64),
}

#[derive(Debug, Clone)]
pub(crate) struct Deduplicated {
    pub(crate) key: String,
    pub(crate) within_ms: i64,
}

impl NewMessage {
    /// Returns a message with this payload.
    pub fn new(payload: impl Into<Vec<u8>>) -> Self {
        Self {
            payload: payload.into(),
            key: None,
            priority: 0,
            ready: Ready::Now,
            deduplicated: None,
            headers: Vec::new(),
        }
    }

    /// Sets the key: messages of one key keep their order in an
    /// [`ordered`](crate::TopicOptions::ordered) topic, also after a failure.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the priority: higher ones are leased first. Within a priority the order is that
    /// of enqueueing.
    #[must_use]
    pub const fn with_priority(mut self, priority: i16) -> Self {
        self.priority = priority;
        self
    }

    /// Makes the message ready only after this delay, counted from when it is written.
    /// Rounded up to a millisecond.
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.ready = if delay.is_zero() {
            Ready::Now
        } else {
            Ready::After(delay_ms(delay))
        };
        self
    }

    /// Makes the message ready only at this time, by the [`Clock`](crate::Clock) of the
    /// process that leases it. Rounded up to a millisecond.
    #[must_use]
    pub fn not_before(mut self, time: SystemTime) -> Self {
        self.ready = Ready::At(to_ms(time));
        self
    }

    /// Enqueues the message only if none with this deduplication key was enqueued to the
    /// topic within the period before. Whether the earlier one was processed does not
    /// matter.
    #[must_use]
    pub fn deduplicated(mut self, key: impl Into<String>, within: Duration) -> Self {
        self.deduplicated = Some(Box::new(Deduplicated {
            key: key.into(),
            within_ms: delay_ms(within),
        }));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Returns the payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What it has that an entry of a log cannot have.
    pub(crate) fn not_in_logs(&self) -> Option<&'static str> {
        if self.priority != 0 {
            Some("a priority")
        } else if !matches!(self.ready, Ready::Now) {
            Some("a delay")
        } else if self.deduplicated.is_some() {
            Some("a deduplication key")
        } else {
            None
        }
    }

    /// When the message is ready, if it is written now.
    pub(crate) fn due_at(&self, now: i64) -> i64 {
        match self.ready {
            Ready::Now => now,
            Ready::After(delay) => now.saturating_add(delay),
            Ready::At(time) => time.max(now),
        }
    }

    /// The bytes that count towards [`max_bytes`](crate::TopicOptions::max_bytes).
    pub(crate) fn size(&self) -> u64 {
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let key = self.key.as_ref().map_or(0, |key| key.len());
        (self.payload.len() + headers + key) as u64
    }
}

impl<T: Into<Vec<u8>>> From<T> for NewMessage {
    fn from(payload: T) -> Self {
        Self::new(payload)
    }
}

/// What became of a message that was enqueued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enqueued {
    /// The number of the message; of the earlier one, if this one is a duplicate.
    pub id: MessageId,
    /// Whether a message with the same deduplication key had been enqueued before, so that
    /// this one was not.
    pub duplicate: bool,
}

/// A delivery: a message that nobody else gets until it is settled, or its lease ends.
///
/// It is plain data. Dropping it settles nothing: the lease stands as long as this
/// [`Queue`](crate::Queue) is open. [`QueueSource`](crate::QueueSource) gives out messages
/// that settle themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leased {
    /// The number of the message.
    pub id: MessageId,
    /// Names this delivery, for [`Queue::settle`](crate::Queue::settle) of the queue that leased
    /// it: other openings of the file have tokens of their own.
    pub token: Token,
    /// The number of deliveries, this one included. Written to the file before the message
    /// is handed out.
    pub deliveries: u32,
    /// The payload.
    pub payload: Vec<u8>,
    /// The key.
    pub key: Option<Arc<str>>,
    /// The priority.
    pub priority: i16,
    /// The headers, in the order in which they were added.
    pub headers: Vec<(String, Vec<u8>)>,
    /// When the message was enqueued.
    pub enqueued_at: SystemTime,
}

impl Leased {
    /// Returns the verdict: processed, to be deleted.
    #[must_use]
    pub const fn ack(&self) -> Settled {
        Settled::new(self.token, Verdict::Ack)
    }

    /// Returns the verdict: not tried, ready again at its old place. Does not count as a
    /// delivery.
    #[must_use]
    pub const fn release(&self) -> Settled {
        Settled::new(self.token, Verdict::Release)
    }

    /// Returns the verdict: tried and failed, ready again after `delay`.
    #[must_use]
    pub const fn retry(&self, delay: Duration) -> Settled {
        Settled::new(self.token, Verdict::Retry(delay))
    }

    /// Returns the verdict: a dead letter, with a reason for people.
    #[must_use]
    pub fn reject(&self, reason: impl Into<Arc<str>>) -> Settled {
        Settled::new(self.token, Verdict::Reject).because(Some(reason.into()))
    }
}
