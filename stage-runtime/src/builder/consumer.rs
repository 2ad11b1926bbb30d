//! Building a consumer.

use std::convert::Infallible;
use std::fmt;
use std::num::NonZeroUsize;

use stage_core::{Batch, Consumer, Deliveries, Dispatcher, SubscribeError, SubscriptionId};

use super::spawn::SpawnOptions;
use crate::dead_letter::DeadLetter;
use crate::error::SpawnError;
use crate::handle::ConsumerHandle;
use crate::pipeline::Group;
use crate::run::{ConsumerOptions, ConsumerRole, ProducerOptions};
use crate::subscription::{IntoSubscription, Subscription};
use crate::supervised::Source;

/// Builds a consumer; made by [`stage`](super::ConsumerExt::stage).
///
/// | option | default |
/// |---|---|
/// | [`name`](Self::name) | its type and number, such as `Printer#2` |
/// | [`subscribe_to`](Self::subscribe_to) | nobody yet |
/// | [`retain_taken`](Self::retain_taken) | no |
/// | [`dead_letters`](Self::dead_letters) | no hook |
#[must_use = "a stage does nothing before it is spawned"]
pub struct ConsumerBuilder<C: Consumer> {
    source: Source<C>,
    consumer: ConsumerOptions<C::Event>,
    name: Option<String>,
    subscriptions: Vec<Subscription<C::Event>>,
}

impl<C: Consumer> ConsumerBuilder<C> {
    pub(super) fn new(source: Source<C>) -> Self {
        Self {
            source,
            consumer: ConsumerOptions::default(),
            name: None,
            subscriptions: Vec::new(),
        }
    }

    /// Names the stage; errors, traces and statistics carry it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Subscribes to a producer once the stage runs: to a handle's reference,
    /// or to a [`Subscription`] that says more. Several producers are fine.
    pub fn subscribe_to(mut self, producer: impl IntoSubscription<C::Event>) -> Self {
        if self.subscriptions.is_empty() {
            // Most stages have one; a vector would make room for four.
            self.subscriptions.reserve_exact(1);
        }
        self.subscriptions.push(producer.into_subscription());
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
        self.consumer.keep = Some(<[C::Event]>::to_vec);
        self
    }

    /// Has `hook` called when a handler of events fails, with the error and the
    /// events it had in hand as far as the stage still owns them: they count as
    /// dead-lettered then, and are not handled again. Without a hook they go
    /// the way of those that the handler had not taken.
    ///
    /// A panic in `hook` is traced and changes nothing.
    pub fn dead_letters(mut self, hook: impl FnMut(DeadLetter<C::Event>) + Send + 'static) -> Self {
        self.consumer.dead_letters = Some(Box::new(hook));
        self
    }

    /// Spawns the stage on the current tokio runtime.
    ///
    /// A stage whose subscriptions cannot work is spawned all the same, and
    /// fails before its first event: `join` says why. To be told here, use
    /// [`try_spawn`](Self::try_spawn).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as `tokio::spawn` does.
    pub fn spawn(self) -> ConsumerHandle<C> {
        self.options().spawn(None)
    }

    /// Spawns the stage on the current tokio runtime unless something is wrong
    /// with its options.
    ///
    /// What only the producer can know, whether it has ended or a partition is
    /// taken, ends the stage and is reported by `join`.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]: demand limits that cannot work, or no runtime.
    pub fn try_spawn(self) -> Result<ConsumerHandle<C>, SpawnError> {
        self.options().try_spawn(None)
    }

    /// Spawns the stage in a pipeline, or in a group of one.
    ///
    /// As [`spawn`](Self::spawn) does, it spawns a stage with something wrong
    /// in its options as well, which then fails before its first event, and
    /// takes the pipeline down.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as `tokio::spawn` does.
    pub fn spawn_in(self, group: impl AsRef<Group>) -> ConsumerHandle<C> {
        self.options().spawn(Some(group.as_ref()))
    }

    /// Spawns the stage in a pipeline, or in a group of one, unless something is
    /// wrong with its options.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]: demand limits that cannot work, a name that the pipeline
    /// has already, a group that needs stages which can start over, or no
    /// runtime.
    pub fn try_spawn_in(self, group: impl AsRef<Group>) -> Result<ConsumerHandle<C>, SpawnError> {
        self.options().try_spawn(Some(group.as_ref()))
    }

    fn options(self) -> SpawnOptions<ConsumerRole<C>, Nobody> {
        SpawnOptions {
            source: self.source,
            consumer: self.consumer,
            name: self.name,
            producer: ProducerOptions::new(Nobody, Some(0)),
            subscriptions: self.subscriptions,
        }
    }
}

impl<C: Consumer> fmt::Debug for ConsumerBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerBuilder")
            .field("name", &self.name)
            .field("subscriptions", &self.subscriptions)
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
