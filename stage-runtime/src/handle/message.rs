//! Typed messages and infos.

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
    /// Sends a message and waits for no reply.
    ///
    /// # Errors
    ///
    /// [`CastError`], with the message in it, when the mailbox is full (1024
    /// casts, calls and infos) or the stage has ended. A message that was
    /// taken is lost if the stage ends before it is its turn.
    pub fn cast<M>(&self, message: M) -> Result<(), CastError<M>>
    where
        S: Handler<M, O::Event>,
        M: Send + 'static,
    {
        self.leave(message, |message| Mail::Message(Box::new(Cast(message))))
    }

    /// Sends a message and waits for the reply; waits for room in the mailbox
    /// first. The events that the stage emitted while it handled the message
    /// have been dispatched when the reply is here.
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
    /// replies; one that is supervised may live on. [`CallError::InHandler`] when
    /// one of the stage's own handlers awaits this, which would wait for itself.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before the message was taken sends nothing; after
    /// that the message is handled and the reply is dropped.
    // Not an `async fn`: of a future that borrows `self` and names `S`, a caller
    // could not prove that it is `Send` for every lifetime.
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
        // A stage that ends, or is dropped, drops what waits in its mailbox.
        answer.await.map_err(|_| ended())
    }

    /// Has `handle_info` called with `value` in its place among the events: a
    /// consumer handles first what has arrived, a producer's consumers first
    /// get what is buffered.
    ///
    /// # Errors
    ///
    /// As for [`cast`](StageRef::cast).
    pub fn info<T: Send + 'static>(&self, value: T) -> Result<(), CastError<T>> {
        self.leave(value, |value| Mail::Info(Info::new(value)))
    }

    fn leave<M>(
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
