//! The mailbox of a stage: a bounded queue of casts, calls and infos.
//!
//! Events never go through it; they go over links.

use std::collections::VecDeque;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use stage_core::{Emitter, Handler, Info, StageResult};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, TryAcquireError, oneshot};

/// The capacity of a mailbox: with this many messages waiting, a cast is refused and a
/// call waits.
pub(crate) const MAILBOX: usize = 1024;

/// An entry in the mailbox of a stage of type `S`, which emits `E`.
pub(crate) enum Mail<S, E> {
    /// A cast or a call, for the stage's `Handler`.
    Message(Box<dyn Message<S, E>>),
    /// An info, for `handle_info`.
    Info(Info),
}

/// A bounded queue that keeps no memory while it is empty.
pub(crate) struct Mailbox<S, E> {
    waiting: Mutex<Waiting<S, E>>,
    /// One permit for each free place.
    room: Semaphore,
}

/// The part of a mailbox under its lock.
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
    /// Enqueues `message`, converted by `wrap`, if there is room. The caller notifies the
    /// stage.
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
        // `try_recv` returns the permit when the stage takes the message.
        permit.forget();
        Ok(())
    }

    /// Enqueues `message` once there is room. Returns `false` if the mailbox is closed.
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

    /// Enqueues `message`; returns it if the mailbox is closed.
    fn push<M>(&self, message: M, wrap: impl FnOnce(M) -> Mail<S, E>) -> Result<(), M> {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(message);
        }
        waiting.mail.push_back(wrap(message));
        Ok(())
    }

    /// Takes the oldest entry. Frees the queue with the last one.
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

    /// Closes the mailbox and drops the entries in it.
    pub(crate) fn close(&self) {
        self.room.close();
        let left = {
            let mut waiting = self.waiting.lock();
            waiting.closed = true;
            std::mem::take(&mut waiting.mail)
        };
        // Outside the lock: dropping a call wakes its caller.
        drop(left);
    }
}

/// Sends the reply to a call. The event loop runs it after it has dispatched the events
/// that the handler emitted.
pub(crate) type SendReply = Box<dyn FnOnce() + Send>;

/// A cast or call with its message type erased.
pub(crate) trait Message<S, E>: Send {
    /// Calls the stage's handler with the message. Returns how to send the reply, if
    /// there is to be one.
    fn deliver<'a>(
        self: Box<Self>,
        stage: &'a mut S,
        out: &'a mut Emitter<'_, E>,
    ) -> BoxFuture<'a, StageResult<Option<SendReply>>>;
}

/// A message whose reply is dropped.
pub(crate) struct Cast<M>(pub(crate) M);

/// A message whose caller waits for the reply.
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
                // Fails if the caller has dropped its future.
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
