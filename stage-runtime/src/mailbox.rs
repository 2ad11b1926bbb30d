//! Messages to a stage; never data.

use futures::future::BoxFuture;
use stage_core::{Emitter, Handle, Info, Reason, StageResult, SubscriptionId};
use tokio::sync::oneshot;

use crate::reply::SubscribeReply;
use crate::subscription::Subscription;

/// How many casts, calls and infos wait at a stage before a cast is refused
/// and a call waits for room.
pub(crate) const MAILBOX: usize = 1024;

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
