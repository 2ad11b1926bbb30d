//! Messages to a stage; never data.

use std::sync::Arc;

use futures::future::BoxFuture;
use stage_core::{
    Cancel, DemandLimits, Emitter, Gate, Handle, Info, Outcome, Peer, Reason, StageResult,
    SubscribeError, SubscriptionId,
};
use tokio::sync::oneshot;

use crate::link::{Ended, ProducerEnd};
use crate::subscription::Subscription;

/// How many casts, calls and infos wait at a stage before a cast is refused
/// and a call waits for room.
pub(crate) const MAILBOX: usize = 1024;

/// Where the answer to a subscription goes; nobody waits for it where the
/// subscription was part of building the stage.
pub(crate) type SubscribeReply = Option<Reply>;

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
    ) -> Self {
        Self {
            sender: Some(sender),
            otherwise,
        }
    }

    /// The same, in the hands of somebody else.
    pub(crate) fn or(mut self, otherwise: SubscribeError) -> Self {
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

/// What a consumer has sent a producer's stage beside its link.
#[derive(Debug)]
pub(crate) enum OutletControl<E, R> {
    Subscribe {
        consumer: Peer,
        route: R,
        end: ProducerEnd<E>,
        reply: SubscribeReply,
    },
    SetGate(Gate),
}

impl<E, R> OutletControl<E, R> {
    /// Answers for `producer`, which has ended with `outcome`. A subscription
    /// that came too late for a completed producer finds itself completed, not
    /// refused, unless somebody waits for the answer.
    pub(crate) fn turn_away(self, producer: &Arc<str>, outcome: Option<Outcome>) {
        let Self::Subscribe { end, reply, .. } = self else {
            return;
        };
        let outcome = outcome.unwrap_or_else(producer_dropped);
        let error = ended(producer, &outcome);
        end.end(match (&reply, outcome) {
            (None, Outcome::Completed) => Ended::Outcome(Outcome::Completed),
            _ => Ended::Refused(error.clone()),
        });
        answer(reply, Err(error));
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

/// Tells whoever waits for it how a subscription went.
pub(crate) fn answer(reply: SubscribeReply, result: Result<SubscriptionId, SubscribeError>) {
    if let Some(mut reply) = reply {
        reply.send(result);
    }
}

/// What a handle has told a consumer's stage.
#[derive(Debug)]
pub(crate) enum InletControl<E> {
    Subscribe {
        subscription: Subscription<E>,
        /// A subscription that this one takes the place of.
        instead_of: Option<(SubscriptionId, Reason)>,
        reply: SubscribeReply,
    },
    Cancel(SubscriptionId, Reason),
    Ask(SubscriptionId, usize),
}

/// What users send a stage of type `S`, which emits `E`.
pub(crate) enum Mail<S, E> {
    Message(Box<dyn Message<S, E>>),
    Info(Info),
}

/// Sends a reply, once the events emitted with it have been dispatched.
pub(crate) type SendReply = Box<dyn FnOnce() + Send>;

/// A typed message, erased.
pub(crate) trait Message<S, E>: Send {
    fn deliver<'a>(
        self: Box<Self>,
        stage: &'a mut S,
        out: &'a mut Emitter<'_, E>,
    ) -> BoxFuture<'a, StageResult<Option<SendReply>>>;
}

/// A message whose reply nobody waits for.
pub(crate) struct Cast<M>(pub(crate) M);

/// A message with a reply.
pub(crate) struct Call<M, R> {
    pub(crate) message: M,
    pub(crate) reply: oneshot::Sender<R>,
}

impl<S, M> Message<S, S::Event> for Cast<M>
where
    S: Handle<M>,
    M: Send + 'static,
{
    fn deliver<'a>(
        self: Box<Self>,
        stage: &'a mut S,
        out: &'a mut Emitter<'_, S::Event>,
    ) -> BoxFuture<'a, StageResult<Option<SendReply>>> {
        Box::pin(async move {
            stage.handle(self.0, out).await?;
            Ok(None)
        })
    }
}

impl<S, M> Message<S, S::Event> for Call<M, S::Reply>
where
    S: Handle<M>,
    M: Send + 'static,
{
    fn deliver<'a>(
        self: Box<Self>,
        stage: &'a mut S,
        out: &'a mut Emitter<'_, S::Event>,
    ) -> BoxFuture<'a, StageResult<Option<SendReply>>> {
        Box::pin(async move {
            let Self { message, reply } = *self;
            let answer = stage.handle(message, out).await?;
            let send: SendReply = Box::new(move || {
                // A caller that went away no longer wants its reply.
                let _ = reply.send(answer);
            });
            Ok(Some(send))
        })
    }
}

/// What a subscription asks for, once its limits have been checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) demand: DemandLimits,
    pub(crate) cancel: Cancel,
}
