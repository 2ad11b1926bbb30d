//! Messages to a stage; never data.

use std::sync::Arc;

use futures::future::BoxFuture;
use stage_core::{Emitter, Handle, Info, Reason, StageResult, SubscriptionId};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, TryAcquireError, oneshot};

use crate::control::Queue;
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

/// A queue with a bound, which takes no room while it is empty: most stages
/// never get a message.
struct Mailbox<S, E> {
    queue: Queue<Mail<S, E>>,
    room: Semaphore,
}

/// The handles' side of a mailbox.
pub(crate) struct MailSender<S, E>(Arc<Mailbox<S, E>>);

/// The stage's side of a mailbox. Dropped, it is closed.
pub(crate) struct MailReceiver<S, E>(Arc<Mailbox<S, E>>);

pub(crate) fn mailbox<S, E>() -> (MailSender<S, E>, MailReceiver<S, E>) {
    let mailbox = Arc::new(Mailbox {
        queue: Queue::new(),
        room: Semaphore::new(MAILBOX),
    });
    (MailSender(Arc::clone(&mailbox)), MailReceiver(mailbox))
}

impl<S, E> MailSender<S, E> {
    /// Leaves `message`, made into mail by `wrap`, if there is room. The caller
    /// rings the stage's station.
    pub(crate) fn try_send<M>(
        &self,
        message: M,
        wrap: impl FnOnce(M) -> Mail<S, E>,
    ) -> Result<(), TrySendError<M>> {
        let permit = match self.0.room.try_acquire() {
            Ok(permit) => permit,
            Err(TryAcquireError::NoPermits) => return Err(TrySendError::Full(message)),
            Err(TryAcquireError::Closed) => return Err(TrySendError::Closed(message)),
        };
        self.0
            .queue
            .push(message, wrap)
            .map_err(TrySendError::Closed)?;
        // The stage gives it back when it has taken the message.
        permit.forget();
        Ok(())
    }

    /// The same, once there is room; says whether the stage has not ended.
    pub(crate) async fn send<M>(&self, message: M, wrap: impl FnOnce(M) -> Mail<S, E>) -> bool {
        let Ok(permit) = self.0.room.acquire().await else {
            return false;
        };
        let sent = self.0.queue.push(message, wrap).is_ok();
        if sent {
            permit.forget();
        }
        sent
    }
}

impl<S, E> MailReceiver<S, E> {
    pub(crate) fn try_recv(&self) -> Option<Mail<S, E>> {
        let mail = self.0.queue.pop()?;
        self.0.room.add_permits(1);
        Some(mail)
    }

    /// Takes nothing more in, and drops what waits.
    pub(crate) fn close(&self) {
        self.0.room.close();
        drop(self.0.queue.close());
    }
}

impl<S, E> Clone for MailSender<S, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S, E> Drop for MailReceiver<S, E> {
    fn drop(&mut self) {
        self.close();
    }
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

#[cfg(test)]
mod tests {
    use super::{MAILBOX, Mail, mailbox};
    use futures::FutureExt;
    use stage_core::Info;
    use std::pin::pin;
    use tokio::sync::mpsc::error::TrySendError;

    fn info(value: usize) -> Mail<(), ()> {
        Mail::Info(Info::new(value))
    }

    #[test]
    fn a_full_mailbox_has_room_again_when_something_was_taken() {
        let (sender, receiver) = mailbox();
        for n in 0..MAILBOX {
            sender.try_send(n, info).unwrap();
        }
        let refused = sender.try_send(MAILBOX, info);
        assert!(matches!(refused, Err(TrySendError::Full(MAILBOX))));
        let mut sent = pin!(sender.send(MAILBOX, info));
        assert_eq!(sent.as_mut().now_or_never(), None);
        assert!(receiver.try_recv().is_some());
        assert_eq!(sent.now_or_never(), Some(true));
    }

    #[test]
    fn a_send_that_was_dropped_leaves_its_room_to_others() {
        let (sender, receiver) = mailbox();
        for n in 0..MAILBOX {
            sender.try_send(n, info).unwrap();
        }
        assert_eq!(sender.send(MAILBOX, info).now_or_never(), None);
        assert!(receiver.try_recv().is_some());
        sender.try_send(MAILBOX, info).unwrap();
    }

    #[test]
    fn a_closed_mailbox_gives_the_message_back() {
        let (sender, receiver) = mailbox();
        for n in 0..MAILBOX {
            sender.try_send(n, info).unwrap();
        }
        let waiting = sender.clone();
        let mut sent = pin!(waiting.send(MAILBOX, info));
        assert_eq!(sent.as_mut().now_or_never(), None);
        drop(receiver);
        assert_eq!(sent.now_or_never(), Some(false));
        let refused = sender.try_send(7, info);
        assert!(matches!(refused, Err(TrySendError::Closed(7))));
    }
}
