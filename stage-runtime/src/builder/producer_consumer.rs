//! Building a producer-consumer.

use std::fmt;

use stage_core::{Dispatcher, Gate, Keep, ProducerConsumer};
use stage_dispatchers::Demand;

use super::spawn::Plan;
use crate::error::SpawnError;
use crate::handle::ProducerConsumerHandle;
use crate::run::{OutletOptions, ProducerConsumerRole};
use crate::subscription::{IntoSubscription, Subscription};

/// Builds a producer-consumer; made by
/// [`stage`](super::ProducerConsumerExt::stage).
///
/// | option | default |
/// |---|---|
/// | [`name`](Self::name) | its type and number, such as `Doubler#3` |
/// | [`subscribe_to`](Self::subscribe_to) | nobody yet |
/// | [`dispatcher`](Self::dispatcher) | [`Demand`] |
/// | [`buffer_size`](Self::buffer_size) | no bound: its input is bounded by demand |
/// | [`buffer_keep`](Self::buffer_keep) | [`Keep::Last`] |
/// | [`gate`](Self::gate) | [`Gate::Forward`] |
#[must_use = "a stage does nothing before it is spawned"]
pub struct ProducerConsumerBuilder<T: ProducerConsumer, D> {
    stage: T,
    name: Option<String>,
    outlet: OutletOptions<D>,
    subscriptions: Vec<Subscription<T::In>>,
}

impl<T: ProducerConsumer> ProducerConsumerBuilder<T, Demand<T::Out>> {
    pub(super) fn new(stage: T) -> Self {
        Self {
            stage,
            name: None,
            outlet: OutletOptions::new(Demand::new(), None),
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
            stage: self.stage,
            name: self.name,
            outlet: self.outlet.with_dispatcher(dispatcher),
            subscriptions: self.subscriptions,
        }
    }

    /// The most events kept that nobody has asked for, in events; 0 keeps
    /// none. Beyond it events are discarded, and counted.
    pub fn buffer_size(mut self, events: usize) -> Self {
        self.outlet.buffer_size = Some(events);
        self
    }

    /// Which events a full buffer keeps.
    pub fn buffer_keep(mut self, keep: Keep) -> Self {
        self.outlet.buffer_keep = keep;
        self
    }

    /// Whether the producer answers demand from the start.
    pub fn gate(mut self, gate: Gate) -> Self {
        self.outlet.gate = gate;
        self
    }

    /// Subscribes to a producer once the stage runs: to a handle's reference,
    /// or to a [`Subscription`] that says more. Several producers are fine.
    pub fn subscribe_to(mut self, producer: impl IntoSubscription<T::In>) -> Self {
        self.subscriptions.push(producer.into_subscription());
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
        self.plan().spawn()
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
        self.plan().try_spawn()
    }

    fn plan(self) -> Plan<ProducerConsumerRole<T>, D> {
        Plan {
            stage: self.stage,
            name: self.name,
            outlet: self.outlet,
            subscriptions: self.subscriptions,
        }
    }
}

impl<T: ProducerConsumer, D> fmt::Debug for ProducerConsumerBuilder<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducerConsumerBuilder")
            .field("name", &self.name)
            .field("outlet", &self.outlet)
            .field("subscriptions", &self.subscriptions)
            .finish_non_exhaustive()
    }
}
