//! Building a producer-consumer.

use std::fmt;

use stage_core::{Dispatcher, Gate, Overflow, ProducerConsumer};
use stage_dispatchers::Demand;

use super::spawn::StageOptions;
use crate::dead_letter::DeadLetter;
use crate::error::SpawnError;
use crate::handle::ProducerConsumerHandle;
use crate::pipeline::Group;
use crate::run::ProducerConsumerRole;
use crate::subscription::IntoSubscription;
use crate::supervised::Source;

/// Builds a producer-consumer; made by
/// [`stage`](super::ProducerConsumerExt::stage).
///
/// | option | default |
/// |---|---|
/// | [`name`](Self::name) | its type and number, such as `Doubler#3` |
/// | [`in_group`](Self::in_group) | none |
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
    options: StageOptions<ProducerConsumerRole<T>, D>,
}

impl<T: ProducerConsumer> ProducerConsumerBuilder<T, Demand<T::Out>> {
    pub(super) fn new(source: Source<T>) -> Self {
        Self {
            options: StageOptions::new(source, Demand::new(), None),
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
    ///
    /// ```
    /// use stage_runtime::operators::map;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let stage = map(|n: u64| n * 2).stage().name("doubler").spawn();
    /// assert_eq!(stage.name(), "doubler");
    /// # }
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Spawns the stage in a pipeline, or in a group of one. In neither by default.
    ///
    /// ```
    /// use stage_runtime::operators::map;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let pipeline = Pipeline::new();
    /// map(|n: u64| n * 2).stage().in_group(&pipeline).spawn();
    /// assert_eq!(pipeline.snapshot().stages.len(), 1);
    /// # }
    /// ```
    pub fn in_group(mut self, group: impl AsRef<Group>) -> Self {
        self.options.group = Some(group.as_ref().clone());
        self
    }

    /// Who decides which subscriber gets which event.
    pub fn dispatcher<D2>(self, dispatcher: D2) -> ProducerConsumerBuilder<T, D2>
    where
        D2: Dispatcher<Event = T::Out> + 'static,
        D2::Route: Send + 'static,
    {
        ProducerConsumerBuilder {
            options: self.options.with_dispatcher(dispatcher),
        }
    }

    /// The most events kept that nobody has asked for, in events; 0 keeps
    /// none. Beyond it events are discarded, and counted.
    pub fn buffer_size(mut self, events: usize) -> Self {
        self.options.producer.buffer_size = Some(events);
        self
    }

    /// Which events a full buffer keeps.
    pub fn on_overflow(mut self, keep: Overflow) -> Self {
        self.options.producer.on_overflow = keep;
        self
    }

    /// Whether the producer answers demand from the start.
    pub fn gate(mut self, gate: Gate) -> Self {
        self.options.producer.gate = gate;
        self
    }

    /// Subscribes to a producer once the stage runs: to a handle's reference,
    /// or to a [`Subscription`](crate::Subscription) that says more. Several producers are fine.
    pub fn subscribe_to(mut self, producer: impl IntoSubscription<T::In>) -> Self {
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
        T::In: Clone,
    {
        self.options.consumer.keep = Some(<[T::In]>::to_vec);
        self
    }

    /// Has `hook` called when a handler of events fails, with the error and the
    /// events it had in hand as far as the stage still owns them: they count as
    /// dead-lettered then, and are not handled again. Without a hook they go
    /// the way of those that the handler had not taken.
    ///
    /// A panic in `hook` is traced and changes nothing.
    pub fn dead_letters(mut self, hook: impl FnMut(DeadLetter<T::In>) + Send + 'static) -> Self {
        self.options.consumer.dead_letters = Some(Box::new(hook));
        self
    }

    /// Has `hook` called with every event that the dispatcher could send
    /// nowhere, such as one whose hash names no partition. Such events are
    /// counted and traced in any case.
    ///
    /// A panic in `hook` is traced and changes nothing.
    pub fn rejected(mut self, hook: impl FnMut(DeadLetter<T::Out>) + Send + 'static) -> Self {
        self.options.producer.rejected = Some(Box::new(hook));
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
    pub fn spawn(self) -> ProducerConsumerHandle<T, D::Route> {
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
    pub fn try_spawn(self) -> Result<ProducerConsumerHandle<T, D::Route>, SpawnError> {
        self.options.try_spawn()
    }
}

impl<T: ProducerConsumer, D: Dispatcher<Event = T::Out>> fmt::Debug
    for ProducerConsumerBuilder<T, D>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducerConsumerBuilder")
            .field("name", &self.options.name)
            .field("producer", &self.options.producer)
            .field("subscriptions", &self.options.subscriptions)
            .finish_non_exhaustive()
    }
}
