//! Messages to a stage; never data.

use std::collections::VecDeque;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use stage_core::{Emitter, Handler, Info, StageResult};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, TryAcquireError, oneshot};

/// How many casts, calls and infos wait at a stage before a cast is refused
/// and a call waits for room.
pub(crate) const MAILBOX: usize = 1024;

/// What users send a stage of type `S`, which emits `E`.
pub(crate) enum Mail<S, E> {
    Message(Box<dyn Message<S, E>>),
    Info(Info),
}

/// A queue with a bound, which takes no room while it is empty.
pub(crate) struct Mailbox<S, E> {
    waiting: Mutex<Waiting<S, E>>,
    room: Semaphore,
}

struct Waiting<S, E> {
    mail: VecDeque<Mail<S, E>>,
    closed: bool,
}

impl<S, E> Default for Mailbox<S, E> {
    fn default() -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                mail: VecDeque::new(),
                closed: false,
            }),
            room: Semaphore::new(MAILBOX),
        }
    }
}

impl<S, E> Mailbox<S, E> {
    /// Leaves `message`, made into mail by `wrap`, if there is room. The caller
    /// rings the stage's notifier.
    pub(crate) fn try_send<M>(
        &self,
        message: M,
        wrap: impl FnOnce(M) -> Mail<S, E>,
    ) -> Result<(), TrySendError<M>> {
        let permit = match self.room.try_acquire() {
            Ok(permit) => permit,
            Err(TryAcquireError::NoPermits) => return Err(TrySendError::Full(message)),
            Err(TryAcquireError::Closed) => return Err(TrySendError::Closed(message)),
        };
        self.push(message, wrap).map_err(TrySendError::Closed)?;
        // The stage gives it back when it has taken the message.
        permit.forget();
        Ok(())
    }

    /// The same, once there is room; says whether the stage has not ended.
    pub(crate) async fn send<M>(&self, message: M, wrap: impl FnOnce(M) -> Mail<S, E>) -> bool {
        let Ok(permit) = self.room.acquire().await else {
            return false;
        };
        let sent = self.push(message, wrap).is_ok();
        if sent {
            permit.forget();
        }
        sent
    }

    /// Gives `message` back when the mailbox is closed.
    fn push<M>(&self, message: M, wrap: impl FnOnce(M) -> Mail<S, E>) -> Result<(), M> {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(message);
        }
        waiting.mail.push_back(wrap(message));
        Ok(())
    }

    pub(crate) fn try_recv(&self) -> Option<Mail<S, E>> {
        let mail = {
            let mut waiting = self.waiting.lock();
            let mail = waiting.mail.pop_front()?;
            if waiting.mail.is_empty() {
                waiting.mail = VecDeque::new();
            }
            mail
        };
        self.room.add_permits(1);
        Some(mail)
    }

    /// Takes nothing more in, and drops what waits.
    pub(crate) fn close(&self) {
        self.room.close();
        let left = {
            let mut waiting = self.waiting.lock();
            waiting.closed = true;
            std::mem::take(&mut waiting.mail)
        };
        // Outside the lock: callers are told that they get no reply.
        drop(left);
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

impl<S, E, M> Message<S, E> for Cast<M>
where
    S: Handler<M, E>,
    E: Send + 'static,
    M: Send + 'static,
{
    fn deliver<'a>(
        self: Box<Self>,
        stage: &'a mut S,
        out: &'a mut Emitter<'_, E>,
    ) -> BoxFuture<'a, StageResult<Option<SendReply>>> {
        Box::pin(async move {
            stage.handle(self.0, out).await?;
            Ok(None)
        })
    }
}

impl<S, E, M> Message<S, E> for Call<M, S::Reply>
where
    S: Handler<M, E>,
    E: Send + 'static,
    M: Send + 'static,
{
    fn deliver<'a>(
        self: Box<Self>,
        stage: &'a mut S,
        out: &'a mut Emitter<'_, E>,
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
    use super::{MAILBOX, Mail, Mailbox};
    use futures::FutureExt;
    use stage_core::Info;
    use std::pin::pin;
    use tokio::sync::mpsc::error::TrySendError;

    fn info(value: usize) -> Mail<(), ()> {
        Mail::Info(Info::new(value))
    }

    #[test]
    fn a_full_mailbox_has_room_again_when_something_was_taken() {
        let mailbox = Mailbox::default();
        for n in 0..MAILBOX {
            mailbox.try_send(n, info).unwrap();
        }
        let refused = mailbox.try_send(MAILBOX, info);
        assert!(matches!(refused, Err(TrySendError::Full(MAILBOX))));
        let mut sent = pin!(mailbox.send(MAILBOX, info));
        assert_eq!(sent.as_mut().now_or_never(), None);
        assert!(mailbox.try_recv().is_some());
        assert_eq!(sent.now_or_never(), Some(true));
    }

    #[test]
    fn a_send_that_was_dropped_leaves_its_room_to_others() {
        let mailbox = Mailbox::default();
        for n in 0..MAILBOX {
            mailbox.try_send(n, info).unwrap();
        }
        assert_eq!(mailbox.send(MAILBOX, info).now_or_never(), None);
        assert!(mailbox.try_recv().is_some());
        mailbox.try_send(MAILBOX, info).unwrap();
    }

    #[test]
    fn a_closed_mailbox_gives_the_message_back() {
        let mailbox = Mailbox::default();
        for n in 0..MAILBOX {
            mailbox.try_send(n, info).unwrap();
        }
        let mut sent = pin!(mailbox.send(MAILBOX, info));
        assert_eq!(sent.as_mut().now_or_never(), None);
        mailbox.close();
        assert_eq!(sent.now_or_never(), Some(false));
        let refused = mailbox.try_send(7, info);
        assert!(matches!(refused, Err(TrySendError::Closed(7))));
    }
}
