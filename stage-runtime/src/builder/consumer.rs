//! Building a consumer.

use std::convert::Infallible;
use std::fmt;
use std::num::NonZeroUsize;

use stage_core::{Batch, Consumer, Deliveries, Dispatcher, SubscribeError, SubscriptionId};

use super::spawn::StageOptions;
use crate::dead_letter::DeadLetter;
use crate::error::SpawnError;
use crate::handle::ConsumerHandle;
use crate::pipeline::Group;
use crate::run::ConsumerRole;
use crate::subscription::IntoSubscription;
use crate::supervised::Source;

/// Builds a consumer; made by [`stage`](super::ConsumerExt::stage).
///
/// | option | default |
/// |---|---|
/// | [`name`](Self::name) | its type and number, such as `Printer#2` |
/// | [`in_group`](Self::in_group) | none |
/// | [`subscribe_to`](Self::subscribe_to) | nobody yet |
/// | [`retain_taken`](Self::retain_taken) | no |
/// | [`dead_letters`](Self::dead_letters) | no hook |
#[must_use = "a stage does nothing before it is spawned"]
pub struct ConsumerBuilder<C: Consumer> {
    options: StageOptions<ConsumerRole<C>, Nobody>,
}

impl<C: Consumer> ConsumerBuilder<C> {
    pub(super) fn new(source: Source<C>) -> Self {
        Self {
            options: StageOptions::new(source, Nobody, Some(0)),
        }
    }

    /// Names the stage; errors, traces and statistics carry it.
    ///
    /// ```
    /// use stage_runtime::operators::for_each;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let stage = for_each(|_: u64| ()).stage().name("printer").spawn();
    /// assert_eq!(stage.name(), "printer");
    /// # }
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Spawns the stage in a pipeline, or in a group of one. In neither by default.
    ///
    /// ```
    /// use stage_runtime::operators::for_each;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let pipeline = Pipeline::new();
    /// for_each(|_: u64| ()).stage().in_group(&pipeline).spawn();
    /// assert_eq!(pipeline.snapshot().stages.len(), 1);
    /// # }
    /// ```
    pub fn in_group(mut self, group: impl AsRef<Group>) -> Self {
        self.options.group = Some(group.as_ref().clone());
        self
    }

    /// Subscribes to a producer once the stage runs: to a handle's reference,
    /// or to a [`Subscription`](crate::Subscription) that says more. Several producers are fine.
    pub fn subscribe_to(mut self, producer: impl IntoSubscription<C::Event>) -> Self {
        self.options.subscribe_to(producer);
        self
    }

    /// Keeps a copy of each batch while its handler has it, so that an event
    /// that was taken by a handler which failed is not gone: without a
    /// [dead-letter hook](Self::dead_letters) it is handled again, by the stage
    /// that starts over or by whoever the producer sends it to. Costs a clone
    /// of every event. Not done by default.
    ///
    /// An event that always makes its handler fail comes back until the stage
    /// has been restarted too often; a dead-letter hook takes it out.
    pub fn retain_taken(mut self) -> Self
    where
        C::Event: Clone,
    {
        self.options.consumer.keep = Some(<[C::Event]>::to_vec);
        self
    }

    /// Has `hook` called when a handler of events fails, with the error and the
    /// events it had in hand as far as the stage still owns them: they count as
    /// dead-lettered then, and are not handled again. Without a hook they go
    /// the way of those that the handler had not taken.
    ///
    /// A panic in `hook` is traced and changes nothing.
    pub fn dead_letters(mut self, hook: impl FnMut(DeadLetter<C::Event>) + Send + 'static) -> Self {
        self.options.consumer.dead_letters = Some(Box::new(hook));
        self
    }

    /// Spawns the stage on the current tokio runtime.
    ///
    /// A stage with something wrong in its options is spawned as well, and fails
    /// before its first event: `join` returns the error, and the pipeline it is in
    /// goes down. [`try_spawn`](Self::try_spawn) returns the error here.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as `tokio::spawn` does.
    pub fn spawn(self) -> ConsumerHandle<C> {
        self.options.spawn()
    }

    /// Spawns the stage on the current tokio runtime unless something is wrong
    /// with its options.
    ///
    /// What only the producer can know, such as that it has ended or that a
    /// partition is taken, ends the stage and is returned by `join`.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]: an option of the stage itself or of a subscription is out of
    /// range, its pipeline has a stage of that name, its group needs stages that
    /// can restart, or no tokio runtime runs here.
    pub fn try_spawn(self) -> Result<ConsumerHandle<C>, SpawnError> {
        self.options.try_spawn()
    }
}

impl<C: Consumer> fmt::Debug for ConsumerBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerBuilder")
            .field("name", &self.options.name)
            .field("subscriptions", &self.options.subscriptions)
            .finish_non_exhaustive()
    }
}

/// The dispatcher of a stage that emits nothing, and that nobody subscribes to.
#[derive(Debug)]
pub(crate) struct Nobody;

impl Dispatcher for Nobody {
    type Event = Infallible;
    type Route = ();

    fn subscribe(&mut self, _: SubscriptionId, (): ()) -> Result<usize, SubscribeError> {
        Ok(0)
    }

    fn cancel(&mut self, _: SubscriptionId, _: &mut Deliveries<Infallible>) -> usize {
        0
    }

    fn ask(&mut self, _: SubscriptionId, _: NonZeroUsize, _: &mut Deliveries<Infallible>) -> usize {
        0
    }

    fn dispatch(
        &mut self,
        events: Batch<Infallible>,
        _: &mut Deliveries<Infallible>,
    ) -> Batch<Infallible> {
        events
    }
}
