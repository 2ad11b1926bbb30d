//! The methods of a handle for messages: cast, call, info.

use std::sync::Arc;

use stage_core::{Handler, Info};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::StageRef;
use super::kind::{Input, Output};
use crate::current::current_stage;
use crate::error::{CallError, CastError};
use crate::mailbox::{Call, Cast, MAILBOX, Mail};

impl<S, I: Input, O: Output> StageRef<S, I, O> {
    /// Sends a message without waiting for a reply.
    ///
    /// ```
    /// use stage_runtime::prelude::*;
    ///
    /// struct Printer;
    ///
    /// impl Consumer for Printer {
    ///     type Event = u64;
    ///
    ///     async fn handle_events(
    ///         &mut self,
    ///         numbers: &mut Batch<u64>,
    ///         _cx: &mut Context<'_>,
    ///     ) -> StageResult {
    ///         numbers.drain().for_each(|n| println!("{n}"));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// struct Close;
    ///
    /// impl Handler<Close> for Printer {
    ///     type Reply = ();
    ///
    ///     async fn handle(&mut self, _: Close, out: &mut Emitter<'_>) -> StageResult {
    ///         out.complete();
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let printer = Printer.stage().spawn();
    /// printer.cast(Close)?;
    /// printer.await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CastError`], with the message in it, when the mailbox is full (1024
    /// casts, calls and infos) or the stage has ended. A message in the mailbox is lost
    /// if the stage ends before it handles it.
    pub fn cast<M>(&self, message: M) -> Result<(), CastError<M>>
    where
        S: Handler<M, O::Event>,
        M: Send + 'static,
    {
        self.send_mail(message, |message| Mail::Message(Box::new(Cast(message))))
    }

    /// Sends a message, once there is room in the mailbox, and waits for the reply. The
    /// events that the stage emitted while handling the message are dispatched before the
    /// reply arrives.
    ///
    /// ```
    /// use stage_runtime::prelude::*;
    ///
    /// struct Counter(u64);
    ///
    /// impl Producer for Counter {
    ///     type Event = u64;
    ///
    ///     async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
    ///         out.extend((self.0..).take(demand));
    ///         self.0 += demand as u64;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// struct Reset(u64);
    ///
    /// impl Handler<Reset, u64> for Counter {
    ///     type Reply = u64;
    ///
    ///     async fn handle(&mut self, Reset(next): Reset, _out: &mut Emitter<'_, u64>) -> StageResult<u64> {
    ///         Ok(std::mem::replace(&mut self.0, next))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let counter = Counter(7).stage().spawn();
    /// assert_eq!(counter.call(Reset(0)).await?, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] when the stage has ended, or ends or fails before it
    /// replies. A supervised stage that failed may go on after a restart.
    /// [`CallError::InHandler`] when one of the stage's own handlers awaits this: it would
    /// wait for itself.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped while it waits for room, the message is not sent. If it is
    /// dropped later, the message is handled and the reply is dropped.
    // Not an `async fn`: its future would borrow `self` and name `S`, and callers could
    // not prove that it is `Send` for every lifetime.
    pub fn call<M>(
        &self,
        message: M,
    ) -> impl Future<Output = Result<S::Reply, CallError>> + Send + use<'_, S, I, O, M>
    where
        S: Handler<M, O::Event>,
        M: Send + 'static,
    {
        self.send_call(message)
    }

    /// The body of [`call`](Self::call).
    async fn send_call<M>(&self, message: M) -> Result<S::Reply, CallError>
    where
        S: Handler<M, O::Event>,
        M: Send + 'static,
    {
        if current_stage() == Some(self.shared.id) {
            return Err(CallError::InHandler {
                stage: Arc::clone(&self.shared.name),
            });
        }
        let ended = || CallError::Ended {
            stage: Arc::clone(&self.shared.name),
        };
        let (reply, answer) = oneshot::channel();
        let call = Call { message, reply };
        let Some(mailbox) = self.control.mailbox() else {
            return Err(ended());
        };
        let sent = mailbox.send(call, |call| Mail::Message(Box::new(call)));
        if !sent.await {
            return Err(ended());
        }
        self.shared.notifier.notify();
        // Fails if the stage ends: it drops the messages in its mailbox.
        answer.await.map_err(|_| ended())
    }

    /// Sends `value` to the stage's `handle_info`, which is called in order with the
    /// events: in a consumer after the events that have arrived, in a producer after the
    /// events in its buffer have been sent.
    ///
    /// ```
    /// use stage_runtime::prelude::*;
    ///
    /// struct Sink;
    ///
    /// impl Consumer for Sink {
    ///     type Event = u64;
    ///
    ///     async fn handle_events(
    ///         &mut self,
    ///         _numbers: &mut Batch<u64>,
    ///         _cx: &mut Context<'_>,
    ///     ) -> StageResult {
    ///         Ok(())
    ///     }
    ///
    ///     async fn handle_info(&mut self, info: Info, cx: &mut Context<'_>) -> StageResult {
    ///         if info.downcast_ref() == Some(&"close") {
    ///             cx.complete();
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let sink = Sink.stage().spawn();
    /// sink.info("close")?;
    /// sink.await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`cast`](StageRef::cast).
    pub fn info<T: Send + 'static>(&self, value: T) -> Result<(), CastError<T>> {
        self.send_mail(value, |value| Mail::Info(Info::new(value)))
    }

    /// Enqueues a message or info, and notifies the stage.
    fn send_mail<M>(
        &self,
        message: M,
        wrap: impl FnOnce(M) -> Mail<S, O::Event>,
    ) -> Result<(), CastError<M>> {
        match self.control.mailbox() {
            Some(mailbox) => mailbox.try_send(message, wrap),
            None => Err(TrySendError::Closed(message)),
        }
        .map_err(|error| self.refuse(error))?;
        self.shared.notifier.notify();
        Ok(())
    }

    /// Converts the error of the mailbox.
    fn refuse<M>(&self, error: TrySendError<M>) -> CastError<M> {
        let stage = Arc::clone(&self.shared.name);
        match error {
            TrySendError::Full(message) => CastError::Full {
                stage,
                capacity: MAILBOX,
                message,
            },
            TrySendError::Closed(message) => CastError::Ended { stage, message },
        }
    }
}
