//! Verdicts on leased messages.

use std::sync::Arc;
use std::time::Duration;

/// What becomes of a leased message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The message was processed, and is deleted.
    Ack,
    /// Nobody has tried the message: it is ready again at its old place, and this delivery
    /// does not count.
    Release,
    /// The message was tried and failed: it is ready again after this delay.
    Retry(Duration),
    /// The message becomes a dead letter.
    Reject,
}

/// Names one delivery of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    /// The number of the message.
    pub id: u64,
    /// The number of the lease.
    pub epoch: u32,
}

impl Token {
    /// Returns the token of a delivery.
    #[must_use]
    pub const fn new(id: u64, epoch: u32) -> Self {
        Self { id, epoch }
    }
}

/// One delivery with its verdict.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settled {
    /// The delivery.
    pub token: Token,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why the message failed.
    pub reason: Option<Arc<str>>,
    /// Set when the delivery was not current any more, and the verdict changed nothing.
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

    /// Adds the reason of a failure.
    #[must_use]
    pub fn because(mut self, reason: Option<Arc<str>>) -> Self {
        self.reason = reason;
        self
    }
}
