//! Building a producer-consumer.

use std::fmt;

use stage_core::{Dispatcher, Gate, Overflow, ProducerConsumer};
use stage_dispatchers::Demand;

use super::spawn::SpawnOptions;
use crate::dead_letter::DeadLetter;
use crate::error::SpawnError;
use crate::handle::ProducerConsumerHandle;
use crate::pipeline::Group;
use crate::run::{ConsumerOptions, ProducerConsumerRole, ProducerOptions};
use crate::subscription::{IntoSubscription, Subscription};
use crate::supervised::Source;

/// Builds a producer-consumer; made by
/// [`stage`](super::ProducerConsumerExt::stage).
///
/// | option | default |
/// |---|---|
/// | [`name`](Self::name) | its type and number, such as `Doubler#3` |
/// | [`subscribe_to`](Self::subscribe_to) | nobody yet |
/// | [`dispatcher`](Self::dispatcher) | [`Demand`] |
/// | [`buffer_size`](Self::buffer_size) | no bound: its input is bounded by demand |
/// | [`on_overflow`](Self::on_overflow) | [`Overflow::DropOldest`] |
/// | [`gate`](Self::gate) | [`Gate::Open`] |
/// | [`retain_taken`](Self::retain_taken) | no |
/// | [`dead_letters`](Self::dead_letters) | no hook |
/// | [`rejected`](Self::rejected) | counted and traced |
#[must_use = "a stage does nothing before it is spawned"]
pub struct ProducerConsumerBuilder<T: ProducerConsumer, D: Dispatcher<Event = T::Out>> {
    source: Source<T>,
    consumer: ConsumerOptions<T::In>,
    name: Option<String>,
    producer: ProducerOptions<D>,
    subscriptions: Vec<Subscription<T::In>>,
}

impl<T: ProducerConsumer> ProducerConsumerBuilder<T, Demand<T::Out>> {
    pub(super) fn new(source: Source<T>) -> Self {
        Self {
            source,
            consumer: ConsumerOptions::default(),
            name: None,
            producer: ProducerOptions::new(Demand::new(), None),
            subscriptions: Vec::new(),
        }
    }
}

impl<T, D> ProducerConsumerBuilder<T, D>
where
    T: ProducerConsumer,
    D: Dispatcher<Event = T::Out> + 'static,
    D::Route: Send + 'static,
{
    /// Names the stage; errors, traces and statistics carry it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Who decides which subscriber gets which event.
    pub fn dispatcher<D2>(self, dispatcher: D2) -> ProducerConsumerBuilder<T, D2>
    where
        D2: Dispatcher<Event = T::Out> + 'static,
        D2::Route: Send + 'static,
    {
        ProducerConsumerBuilder {
            source: self.source,
            consumer: self.consumer,
            name: self.name,
            producer: self.producer.with_dispatcher(dispatcher),
            subscriptions: self.subscriptions,
        }
    }

    /// The most events kept that nobody has asked for, in events; 0 keeps
    /// none. Beyond it events are discarded, and counted.
    pub fn buffer_size(mut self, events: usize) -> Self {
        self.producer.buffer_size = Some(events);
        self
    }

    /// Which events a full buffer keeps.
    pub fn on_overflow(mut self, keep: Overflow) -> Self {
        self.producer.on_overflow = keep;
        self
    }

    /// Whether the producer answers demand from the start.
    pub fn gate(mut self, gate: Gate) -> Self {
        self.producer.gate = gate;
        self
    }

    /// Subscribes to a producer once the stage runs: to a handle's reference,
    /// or to a [`Subscription`] that says more. Several producers are fine.
    pub fn subscribe_to(mut self, producer: impl IntoSubscription<T::In>) -> Self {
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
        T::In: Clone,
    {
        self.consumer.keep = Some(<[T::In]>::to_vec);
        self
    }

    /// Has `hook` called when a handler of events fails, with the error and the
    /// events it had in hand as far as the stage still owns them: they count as
    /// dead-lettered then, and are not handled again. Without a hook they go
    /// the way of those that the handler had not taken.
    ///
    /// A panic in `hook` is traced and changes nothing.
    pub fn dead_letters(mut self, hook: impl FnMut(DeadLetter<T::In>) + Send + 'static) -> Self {
        self.consumer.dead_letters = Some(Box::new(hook));
        self
    }

    /// Has `hook` called with every event that the dispatcher could send
    /// nowhere, such as one whose hash names no partition. Such events are
    /// counted and traced in any case.
    ///
    /// A panic in `hook` is traced and changes nothing.
    pub fn rejected(mut self, hook: impl FnMut(DeadLetter<T::Out>) + Send + 'static) -> Self {
        self.producer.rejected = Some(Box::new(hook));
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
    pub fn spawn(self) -> ProducerConsumerHandle<T, D::Route> {
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
    pub fn try_spawn(self) -> Result<ProducerConsumerHandle<T, D::Route>, SpawnError> {
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
    pub fn spawn_in(self, group: impl AsRef<Group>) -> ProducerConsumerHandle<T, D::Route> {
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
    pub fn try_spawn_in(
        self,
        group: impl AsRef<Group>,
    ) -> Result<ProducerConsumerHandle<T, D::Route>, SpawnError> {
        self.options().try_spawn(Some(group.as_ref()))
    }

    fn options(self) -> SpawnOptions<ProducerConsumerRole<T>, D> {
        SpawnOptions {
            source: self.source,
            consumer: self.consumer,
            name: self.name,
            producer: self.producer,
            subscriptions: self.subscriptions,
        }
    }
}

impl<T: ProducerConsumer, D: Dispatcher<Event = T::Out>> fmt::Debug
    for ProducerConsumerBuilder<T, D>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducerConsumerBuilder")
            .field("name", &self.name)
            .field("producer", &self.producer)
            .field("subscriptions", &self.subscriptions)
            .finish_non_exhaustive()
    }
}
