//! How a subscription went, for whoever waits to know.

use std::sync::Arc;

use stage_core::{Outcome, SubscribeError, SubscriptionId};
use tokio::sync::oneshot;

/// Where the answer to a subscription goes; nobody waits for it where the
/// subscription was part of building the stage, as most are.
pub(crate) type SubscribeReply = Option<Box<Reply>>;

/// The answer to a subscription. Dropped unanswered, it says who went away.
#[derive(Debug)]
pub(crate) struct Reply {
    sender: Option<oneshot::Sender<Result<SubscriptionId, SubscribeError>>>,
    otherwise: SubscribeError,
}

impl Reply {
    pub(crate) fn new(
        sender: oneshot::Sender<Result<SubscriptionId, SubscribeError>>,
        otherwise: SubscribeError,
    ) -> Box<Self> {
        Box::new(Self {
            sender: Some(sender),
            otherwise,
        })
    }

    /// The same, in the hands of somebody else.
    pub(crate) fn or(mut self: Box<Self>, otherwise: SubscribeError) -> Box<Self> {
        self.otherwise = otherwise;
        self
    }

    fn send(&mut self, result: Result<SubscriptionId, SubscribeError>) {
        if let Some(sender) = self.sender.take() {
            // A caller that went away no longer wants to know.
            let _ = sender.send(result);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.send(Err(self.otherwise.clone()));
    }
}

/// Tells whoever waits for it how a subscription went.
pub(crate) fn answer(reply: SubscribeReply, result: Result<SubscriptionId, SubscribeError>) {
    if let Some(mut reply) = reply {
        reply.send(result);
    }
}

/// How a producer has ended that did not come to say so.
pub(crate) fn producer_dropped() -> Outcome {
    Outcome::Cancelled("the producer's task was dropped".into())
}

/// Why one cannot subscribe to a producer that has ended with `outcome`.
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
