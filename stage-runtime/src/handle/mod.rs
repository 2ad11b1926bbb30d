//! Handles: how the rest of the program reaches a running stage.

mod caller;
mod consumer;
mod kind;
mod message;
mod outlet;
mod producer;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use stage_core::{Consumer, Producer, ProducerConsumer};

use crate::abort::AbortHandle;
use crate::control::ControlSender;
use crate::current::current_stage;
use crate::error::Error;
use crate::shared::StageShared;

pub use crate::outlet::Outlet;
pub use crate::stage_control::StageControl;
pub use caller::Caller;
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

/// A reference to a running producer `P` whose dispatcher has routes of type `R`.
///
/// ```
/// use stage_runtime::operators::{FromIter, from_iter};
/// use stage_runtime::handle::ProducerRef;
/// use stage_runtime::prelude::*;
///
/// type Numbers = FromIter<std::ops::Range<u64>>;
///
/// /// What a program keeps of a producer.
/// struct Source {
///     numbers: ProducerRef<Numbers>,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let numbers = from_iter(0..10).stage().spawn();
/// let source = Source { numbers: numbers.stage_ref() };
/// assert!(!source.numbers.is_ended());
/// # }
/// ```
pub type ProducerRef<P, R = ()> = StageRef<P, Nothing, Emits<<P as Producer>::Event, R>>;

/// A reference to a running consumer `C`.
pub type ConsumerRef<C> = StageRef<C, Takes<<C as Consumer>::Event>, Nothing>;

/// A reference to a running producer-consumer `T` whose dispatcher has routes of type `R`.
pub type ProducerConsumerRef<T, R = ()> =
    StageRef<T, Takes<<T as ProducerConsumer>::In>, Emits<<T as ProducerConsumer>::Out, R>>;

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
///
/// It names the type `S` of the stage, what the stage takes and what it emits, so that
/// messages and subscriptions are checked by the compiler. In signatures use the aliases
/// [`ProducerRef`], [`ConsumerRef`] and [`ProducerConsumerRef`]. Where the type of the stage
/// cannot be written down, or differs from stage to stage, keep a part of the reference:
///
/// | part | what it is for |
/// |---|---|
/// | [`StageControl`] | name, statistics, end; has no type parameters |
/// | [`Outlet<E, R>`](Outlet) | subscribing to a stage that emits `E` |
/// | [`Caller<M, R>`](Caller) | sending messages of type `M`, to which the reply is `R` |
///
/// A reference keeps nothing running: a stage ends on its own terms, and its state is
/// dropped then, whatever references there are.
pub struct StageRef<S, I: Input, O: Output> {
    stage: StageControl,
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
                stage: StageControl::new(shared, task),
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
    /// Returns a reference to the stage without type parameters, for example for a map of
    /// stages of different types. A `StageRef` dereferences to it.
    #[must_use]
    pub fn control(&self) -> StageControl {
        self.stage.clone()
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
    I: Input,
    O: Output,
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

impl<S, I: Input, O: Output> Deref for StageRef<S, I, O> {
    type Target = StageControl;

    fn deref(&self) -> &Self::Target {
        &self.stage
    }
}

impl<S, I: Input, O: Output> Clone for StageRef<S, I, O> {
    fn clone(&self) -> Self {
        Self {
            stage: self.stage.clone(),
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
