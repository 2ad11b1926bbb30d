//! [`Verdict`]: what becomes of a message. [`Settled`]: a message with its verdict.

use std::sync::Arc;
use std::time::Duration;

/// What becomes of a message at its origin. Ordered from best to worst: of several parts
/// of one message the worst verdict counts.
///
/// ```
/// use std::time::Duration;
/// use stage_pipeline::Verdict;
///
/// assert!(Verdict::Ack < Verdict::Release);
/// assert!(Verdict::Release < Verdict::Retry(Duration::ZERO));
/// assert!(Verdict::Retry(Duration::MAX) < Verdict::Reject);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The message was processed: the origin may forget it.
    Ack,
    /// Nobody has tried the message: the origin delivers it again, and does not count
    /// this delivery.
    Release,
    /// The message was tried and failed: the origin delivers it again after this delay.
    Retry(Duration),
    /// The message is not delivered again: it is a dead letter.
    Reject,
}

/// Names one delivery of a message at its origin.
///
/// A message that is delivered again has another `epoch`, so that a late verdict on an
/// earlier delivery can be told from one on the current delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    /// The number of the message at its origin: a row, an offset, a delivery tag.
    pub id: u64,
    /// The number of the delivery, or of the connection that it came by.
    pub epoch: u32,
}

impl Token {
    /// Returns the token of a delivery.
    #[must_use]
    pub const fn new(id: u64, epoch: u32) -> Self {
        Self { id, epoch }
    }
}

/// One delivery with its verdict, as an [`Acknowledger`](super::Acknowledger) gets it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settled {
    /// The delivery.
    pub token: Token,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why the message failed, for the origin to keep with a dead letter.
    pub reason: Option<Arc<str>>,
    /// Set by the acknowledger when the delivery was not current any more, and the
    /// verdict therefore changed nothing.
    pub stale: bool,
}

impl Settled {
    /// Returns a delivery with its verdict and no reason.
    #[must_use]
    pub const fn new(token: Token, verdict: Verdict) -> Self {
        Self {
            token,
            verdict,
            reason: None,
            stale: false,
        }
    }

    /// Returns what becomes of the message if its origin may not have heard of the verdict:
    /// an acknowledgement becomes a retry, the others stay.
    pub(crate) fn unsent(mut self) -> Self {
        if self.verdict == Verdict::Ack {
            self.verdict = Verdict::Retry(super::ack::DROPPED);
        }
        self
    }

    /// Adds the reason of a failure.
    #[must_use]
    pub fn because(mut self, reason: Option<Arc<str>>) -> Self {
        self.reason = reason;
        self
    }
}
