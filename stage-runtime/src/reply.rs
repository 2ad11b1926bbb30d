//! The reply to a subscription, for a caller that waits for it.

use std::sync::Arc;

use stage_core::{Outcome, SubscribeError, SubscriptionId};
use tokio::sync::oneshot;

/// The way to reply to a subscription. `None` for a subscription of a builder: no caller
/// waits for it.
pub(crate) type SubscribeReply = Option<Box<Reply>>;

/// The sender of a reply. Dropped without a reply, it sends a default error.
#[derive(Debug)]
pub(crate) struct Reply {
    /// `None` once it was used.
    sender: Option<oneshot::Sender<Result<SubscriptionId, SubscribeError>>>,
    /// The default error: the stage that was to reply is gone.
    otherwise: SubscribeError,
}

impl Reply {
    /// Makes a reply with its default error.
    pub(crate) fn new(
        sender: oneshot::Sender<Result<SubscriptionId, SubscribeError>>,
        otherwise: SubscribeError,
    ) -> Box<Self> {
        Box::new(Self {
            sender: Some(sender),
            otherwise,
        })
    }

    /// Replaces the default error, for another stage that is to reply.
    pub(crate) fn or(mut self: Box<Self>, otherwise: SubscribeError) -> Box<Self> {
        self.otherwise = otherwise;
        self
    }

    /// Sends the result; the first call counts.
    fn send(&mut self, result: Result<SubscriptionId, SubscribeError>) {
        if let Some(sender) = self.sender.take() {
            // Fails if the caller has dropped its future.
            let _ = sender.send(result);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.send(Err(self.otherwise.clone()));
    }
}

/// Replies to a subscription, if a caller waits.
pub(crate) fn answer(reply: SubscribeReply, result: Result<SubscriptionId, SubscribeError>) {
    if let Some(mut reply) = reply {
        reply.send(result);
    }
}

/// Returns the outcome of a producer whose task was dropped.
pub(crate) fn producer_dropped() -> Outcome {
    Outcome::Cancelled("the producer's task was dropped".into())
}

/// Returns the error of a subscription to a producer that has ended with `outcome`.
pub(crate) fn ended(producer: &Arc<str>, outcome: &Outcome) -> SubscribeError {
    let producer = Arc::clone(producer);
    match outcome {
        Outcome::Completed => SubscribeError::ProducerCompleted { producer },
        Outcome::Cancelled(_) | Outcome::Failed(_) => SubscribeError::ProducerEnded {
            producer,
            outcome: outcome.to_string(),
        },
    }
}
