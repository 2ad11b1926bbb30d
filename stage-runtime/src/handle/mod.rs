//! Handles: how the rest of the program reaches a running stage.

mod consumer;
mod kind;
mod message;
mod producer;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use stage_core::{Consumer, Outcome, Producer, ProducerConsumer, Reason};

use crate::abort::AbortHandle;
use crate::control::ControlSender;
use crate::current::current_stage;
use crate::error::Error;
use crate::shared::StageShared;
use crate::stage_id::StageId;
use crate::stats::StageStats;

pub use kind::{Emits, Input, Nothing, Output, Takes};

/// The handle of a running producer `P` whose dispatcher has routes of type
/// `R`.
pub type ProducerHandle<P, R = ()> = StageHandle<P, Nothing, Emits<<P as Producer>::Event, R>>;

/// The handle of a running consumer `C`.
pub type ConsumerHandle<C> = StageHandle<C, Takes<<C as Consumer>::Event>, Nothing>;

/// The handle of a running producer-consumer `T` whose dispatcher has routes
/// of type `R`.
pub type ProducerConsumerHandle<T, R = ()> =
    StageHandle<T, Takes<<T as ProducerConsumer>::In>, Emits<<T as ProducerConsumer>::Out, R>>;

/// The handle of a running stage: the one owner of its outcome and its state.
///
/// Spawning a stage returns it, once. Everything except joining can also be done through
/// a [`StageRef`], which a handle dereferences to and which can be cloned. Dropping a
/// handle *detaches* the stage: it goes on.
///
/// When a stage that takes events has completed, the handle keeps the state for
/// [`join_stage`](StageHandle::join_stage) until the handle is dropped. If the state holds
/// something that others wait for, such as a channel, release it in `terminate`.
///
/// `S` is the stage's own type; `I` and `O` are the events that it takes and emits. In
/// signatures use the aliases [`ProducerHandle`], [`ConsumerHandle`] and
/// [`ProducerConsumerHandle`].
pub struct StageHandle<S, I: Input, O: Output> {
    stage: StageRef<S, I, O>,
}

/// A reference to a running stage; cheap to clone.
pub struct StageRef<S, I: Input, O: Output> {
    shared: Arc<StageShared>,
    task: AbortHandle,
    control: ControlSender<S, I::Event, O::Event, O::Route>,
}

impl<S, I: Input, O: Output> StageHandle<S, I, O> {
    pub(crate) const fn new(
        shared: Arc<StageShared>,
        task: AbortHandle,
        control: ControlSender<S, I::Event, O::Event, O::Route>,
    ) -> Self {
        Self {
            stage: StageRef {
                shared,
                task,
                control,
            },
        }
    }

    /// Returns a reference to the stage, which can be cloned.
    #[must_use]
    pub fn stage_ref(&self) -> StageRef<S, I, O> {
        self.stage.clone()
    }

    /// Waits until the stage has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`] or [`Error::Failed`] unless the stage completed,
    /// that is, unless everything was delivered. [`Error::InHandler`] when one of
    /// the stage's own handlers awaits this.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future detaches the stage, as dropping the handle does.
    pub async fn join(self) -> Result<(), Error> {
        self.stage.check_not_within()?;
        let outcome = self.stage.outcome().await;
        Error::check(&self.stage.shared.name, outcome)
    }
}

impl<S, E: Send + 'static, O: Output> StageHandle<S, Takes<E>, O> {
    /// Waits until the stage has ended and returns its state, with what it has gathered.
    ///
    /// ```
    /// use stage_runtime::operators::from_iter;
    /// use stage_runtime::prelude::*;
    ///
    /// #[derive(Default)]
    /// struct Longest(String);
    ///
    /// impl Consumer for Longest {
    ///     type Event = String;
    ///
    ///     async fn handle_events(
    ///         &mut self,
    ///         words: &mut Batch<String>,
    ///         _cx: &mut Context<'_>,
    ///     ) -> StageResult {
    ///         for word in words {
    ///             if word.len() > self.0.len() {
    ///                 self.0 = word;
    ///             }
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let words = from_iter(["a", "pipeline", "of"].map(String::from)).stage().spawn();
    /// let longest = Longest::default().stage().subscribe_to(&words).spawn();
    /// assert_eq!(longest.join_stage().await?.0, "pipeline");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`join`](StageHandle::join). The state of a stage that did not complete is
    /// dropped when it ends. So is the state of every producer, which may hold a file or
    /// a connection open; producers do not have this method.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future detaches the stage, as dropping the handle does.
    pub async fn join_stage(self) -> Result<S, Error> {
        self.stage.check_not_within()?;
        let outcome = self.stage.outcome().await;
        Error::check(&self.stage.shared.name, outcome)?;
        self.stage
            .control
            .take_stage()
            .ok_or_else(|| Error::Cancelled {
                stage: Arc::clone(&self.stage.shared.name),
                reason: "its task was dropped".into(),
            })
    }
}

impl<S, I: Input, O: Output> StageRef<S, I, O> {
    /// Returns the name of the stage.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Returns the id of the stage, unique in this process.
    #[must_use]
    pub fn id(&self) -> StageId {
        self.shared.id
    }

    /// Returns the statistics of the stage so far, also after its end.
    #[must_use]
    pub fn stats(&self) -> StageStats {
        self.shared.stats()
    }

    /// Whether the stage has ended.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.shared.outcome.get().is_some()
    }

    /// Waits until the stage has ended and returns its outcome. In a handler of the stage
    /// itself it waits for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn outcome(&self) -> Outcome {
        self.shared.outcome.wait().await
    }

    /// Returns an error if the caller is a handler of the stage itself, which would wait
    /// for its own end.
    fn check_not_within(&self) -> Result<(), Error> {
        if current_stage() == Some(self.shared.id) {
            return Err(Error::InHandler {
                stage: Arc::clone(&self.shared.name),
            });
        }
        Ok(())
    }

    /// Stops the stage between two calls of its handlers: nothing more is handled or
    /// emitted, and the stage ends as cancelled. Its links end with the same outcome. Has
    /// no effect on a stage that has ended, or was stopped before.
    pub fn stop(&self, reason: impl Into<Reason>) {
        self.shared.stop(reason.into());
    }

    /// Drops the stage's task, even inside a handler that awaits: for a handler that does
    /// not return by itself.
    ///
    /// The events that the handler had not taken are handed back. `terminate` is not
    /// called, and the stage ends as cancelled. A handler that blocks its thread cannot be
    /// aborted before it yields.
    pub fn abort(&self) {
        self.task.abort();
    }
}

/// Detaches the stage. Its state is dropped when it ends, or now if it has ended.
impl<S, I: Input, O: Output> Drop for StageHandle<S, I, O> {
    fn drop(&mut self) {
        self.stage.control.detach();
    }
}

/// Awaiting a handle is [`join`](StageHandle::join).
///
/// ```
/// use stage_runtime::operators::{for_each, from_iter};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let numbers = from_iter(1..=3).stage().spawn();
/// for_each(|n: i32| println!("{n}")).stage().subscribe_to(&numbers).spawn().await
/// # }
/// ```
impl<S, I, O> IntoFuture for StageHandle<S, I, O>
where
    S: 'static,
    I: Input + 'static,
    O: Output + 'static,
{
    type Output = Result<(), Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.join().boxed()
    }
}

impl<S, I: Input, O: Output> Deref for StageHandle<S, I, O> {
    type Target = StageRef<S, I, O>;

    fn deref(&self) -> &Self::Target {
        &self.stage
    }
}

impl<S, I: Input, O: Output> Clone for StageRef<S, I, O> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            task: self.task.clone(),
            control: Arc::clone(&self.control),
        }
    }
}

impl<S, I: Input, O: Output> fmt::Debug for StageHandle<S, I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageHandle")
            .field("name", &self.shared.name)
            .field("ended", &self.is_ended())
            .finish_non_exhaustive()
    }
}

impl<S, I: Input, O: Output> fmt::Debug for StageRef<S, I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageRef")
            .field("name", &self.shared.name)
            .field("ended", &self.is_ended())
            .finish_non_exhaustive()
    }
}
