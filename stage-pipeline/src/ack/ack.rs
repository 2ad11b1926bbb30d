//! [`Ack`]: the right and the duty to settle one delivery.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{AckError, Acknowledger, Settled, Token, Verdict};

/// The delay of a retry that nobody has chosen, for a message that was dropped.
pub(crate) const DROPPED: Duration = Duration::from_millis(100);

/// The right, and the duty, to settle one delivery of a message. It settles exactly once.
///
/// An `Ack` that is dropped is never an acknowledgement: the message is released if no
/// handler has begun with it, and is otherwise retried after 100 ms. That works on any
/// thread, and without a runtime.
///
/// Every [`Message`](crate::Message) has one; it is taken out with
/// [`Message::into_parts`](crate::Message::into_parts) by a handler that settles the
/// message itself.
#[must_use = "an `Ack` that is dropped is a negative acknowledgement"]
pub struct Ack {
    origin: Option<Arc<dyn Acknowledger>>,
    // Not as a `Token`, whose padding would make every message larger.
    id: u64,
    epoch: u32,
    /// Whether a handler has begun with the message.
    tried: bool,
}

impl Ack {
    /// Returns the duty to settle the delivery `token` of `origin`.
    pub const fn new(origin: Arc<dyn Acknowledger>, token: Token) -> Self {
        Self {
            origin: Some(origin),
            id: token.id,
            epoch: token.epoch,
            tried: false,
        }
    }

    /// Returns an `Ack` that settles nothing, for a message that nobody waits for.
    pub const fn none() -> Self {
        Self {
            origin: None,
            id: 0,
            epoch: 0,
            tried: false,
        }
    }

    /// Returns the delivery that it settles.
    #[must_use]
    pub const fn token(&self) -> Token {
        Token::new(self.id, self.epoch)
    }

    /// Notes that a handler has begun with the message: dropped from now on, it is
    /// retried and counts as a delivery.
    pub const fn set_tried(&mut self) {
        self.tried = true;
    }

    /// Settles the delivery.
    ///
    /// # Errors
    ///
    /// [`AckError`] when the origin could not be told; it delivers the message again.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the origin may or may not have been told.
    pub async fn settle(self, verdict: Verdict) -> Result<(), AckError> {
        match self.take() {
            Some((origin, token)) => origin.settle(&mut [Settled::new(token, verdict)]).await,
            None => Ok(()),
        }
    }

    /// Returns the name of the origin.
    pub(crate) fn origin_name(&self) -> Arc<str> {
        self.origin
            .as_ref()
            .map_or_else(|| "nowhere".into(), |origin| origin.name())
    }

    /// Takes out what settles, without settling.
    pub(crate) fn take(mut self) -> Option<(Arc<dyn Acknowledger>, Token)> {
        self.origin.take().map(|origin| (origin, self.token()))
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if let Some(origin) = self.origin.take() {
            let verdict = if self.tried {
                Verdict::Retry(DROPPED)
            } else {
                Verdict::Release
            };
            origin.abandon(Settled::new(self.token(), verdict));
        }
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ack")
            .field("token", &self.token())
            .field("tried", &self.tried)
            .finish()
    }
}
