//! [`Caller`]: one message type of a stage, without the type of the stage.

use std::fmt;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use stage_core::Handler;

use super::{Input, Output, StageControl, StageRef};
use crate::error::{CallError, CastError};

/// Sends messages of type `M`, to which the reply is `R`, to a running stage of any type;
/// cheap to clone.
///
/// [`StageRef::caller`] returns it. It keeps nothing running. A call allocates once more
/// than [`StageRef::call`], for its future.
///
/// ```
/// use std::collections::HashMap;
/// use stage_runtime::per_event::{ChildCounts, CountChildren, StartChild};
/// use stage_runtime::handle::Caller;
/// use stage_runtime::{per_event, prelude::*};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Two closures, whose types cannot be written down.
/// let mails = per_event(|_address: String| std::future::pending()).stage().spawn();
/// let images = per_event(|_size: u32| std::future::pending()).stage().spawn();
/// images.call(StartChild(640)).await??;
///
/// let mut queues: HashMap<&str, Caller<CountChildren, ChildCounts>> = HashMap::new();
/// queues.insert("mails", mails.caller());
/// queues.insert("images", images.caller());
/// assert_eq!(queues["images"].call(CountChildren).await?.running, 1);
/// # Ok(())
/// # }
/// ```
///
/// Source: `Recipient` of actix and `ReplyRecipient` of kameo.
pub struct Caller<M, R>(Arc<dyn Messages<M, R> + Send + Sync>);

/// The operations of a [`Caller`].
trait Messages<M, R> {
    /// See [`StageRef::call`].
    fn call(&self, message: M) -> BoxFuture<'_, Result<R, CallError>>;

    /// See [`StageRef::cast`].
    fn cast(&self, message: M) -> Result<(), CastError<M>>;

    /// Whether the mailbox is closed.
    fn is_closed(&self) -> bool;

    /// The stage without its types.
    fn stage(&self) -> &StageControl;
}

impl<S, I, O, M> Messages<M, S::Reply> for StageRef<S, I, O>
where
    S: Handler<M, O::Event>,
    I: Input,
    O: Output,
    M: Send + 'static,
{
    fn call(&self, message: M) -> BoxFuture<'_, Result<S::Reply, CallError>> {
        Self::call(self, message).boxed()
    }

    fn cast(&self, message: M) -> Result<(), CastError<M>> {
        Self::cast(self, message)
    }

    fn is_closed(&self) -> bool {
        !self.control.accepts_mail()
    }

    fn stage(&self) -> &StageControl {
        &self.stage
    }
}

impl<S, I: Input, O: Output> StageRef<S, I, O> {
    /// Returns what sends messages of type `M` to the stage, without the stage's type.
    ///
    /// ```
    /// use stage_runtime::prelude::*;
    /// use stage_runtime::handle::Caller;
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
    /// let close: Caller<Close, ()> = printer.caller();
    /// close.call(Close).await?;
    /// printer.await
    /// # }
    /// ```
    #[must_use]
    pub fn caller<M>(&self) -> Caller<M, S::Reply>
    where
        S: Handler<M, O::Event>,
        M: Send + 'static,
    {
        Caller(Arc::new(self.clone()))
    }
}

impl<M, R> Caller<M, R> {
    /// Sends a message, once there is room in the mailbox, and waits for the reply.
    ///
    /// # Errors
    ///
    /// As for [`StageRef::call`].
    ///
    /// # Cancel safety
    ///
    /// As for [`StageRef::call`].
    pub fn call(
        &self,
        message: M,
    ) -> impl Future<Output = Result<R, CallError>> + Send + use<'_, M, R> {
        self.0.call(message)
    }

    /// Sends a message without waiting for a reply.
    ///
    /// # Errors
    ///
    /// As for [`StageRef::cast`].
    pub fn cast(&self, message: M) -> Result<(), CastError<M>> {
        self.0.cast(message)
    }

    /// Whether the stage takes no more messages, because it has ended or is about to:
    /// every call and cast from now on is refused.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Returns the stage without its types.
    #[must_use]
    pub fn control(&self) -> StageControl {
        self.0.stage().clone()
    }
}

impl<M, R> Clone for Caller<M, R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M, R> fmt::Debug for Caller<M, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("stage", &self.0.stage().name())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
