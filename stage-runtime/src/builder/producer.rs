//! Building a producer.

use std::fmt;

use stage_core::{Dispatcher, Gate, Overflow, Producer};
use stage_dispatchers::Demand;

use super::spawn::SpawnOptions;
use crate::dead_letter::DeadLetter;
use crate::error::SpawnError;
use crate::handle::ProducerHandle;
use crate::pipeline::Group;
use crate::run::{ConsumerOptions, ProducerOptions, ProducerRole};
use crate::supervised::Source;

/// Events that a producer buffers by default. Source: `:buffer_size` of
/// GenStage.
const BUFFER_SIZE: usize = 10_000;

/// Builds a producer; made by [`stage`](super::ProducerExt::stage).
///
/// | option | default |
/// |---|---|
/// | [`name`](Self::name) | its type and number, such as `Counter#1` |
/// | [`dispatcher`](Self::dispatcher) | [`Demand`] |
/// | [`buffer_size`](Self::buffer_size) | 10,000 events |
/// | [`on_overflow`](Self::on_overflow) | [`Overflow::DropOldest`] |
/// | [`gate`](Self::gate) | [`Gate::Open`] |
/// | [`rejected`](Self::rejected) | counted and traced |
#[must_use = "a stage does nothing before it is spawned"]
pub struct ProducerBuilder<P: Producer, D: Dispatcher<Event = P::Event>> {
    source: Source<P>,
    name: Option<String>,
    producer: ProducerOptions<D>,
}

impl<P: Producer> ProducerBuilder<P, Demand<P::Event>> {
    pub(super) fn new(source: Source<P>) -> Self {
        Self {
            source,
            name: None,
            producer: ProducerOptions::new(Demand::new(), Some(BUFFER_SIZE)),
        }
    }
}

impl<P, D> ProducerBuilder<P, D>
where
    P: Producer,
    D: Dispatcher<Event = P::Event> + 'static,
    D::Route: Send + 'static,
{
    /// Names the stage; errors, traces and statistics carry it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Who decides which subscriber gets which event.
    pub fn dispatcher<D2>(self, dispatcher: D2) -> ProducerBuilder<P, D2>
    where
        D2: Dispatcher<Event = P::Event> + 'static,
        D2::Route: Send + 'static,
    {
        ProducerBuilder {
            source: self.source,
            name: self.name,
            producer: self.producer.with_dispatcher(dispatcher),
        }
    }

    /// The most events kept that nobody has asked for, in events; 0 keeps
    /// none. Beyond it events are discarded, and counted.
    pub fn buffer_size(mut self, events: usize) -> Self {
        self.producer.buffer_size = Some(events);
        self
    }

    /// Keeps any number of events that nobody has asked for. Memory is then
    /// bounded by the producer alone.
    pub fn unbounded_buffer(mut self) -> Self {
        self.producer.buffer_size = None;
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

    /// Has `hook` called with every event that the dispatcher could send
    /// nowhere, such as one whose hash names no partition. Such events are
    /// counted and traced in any case.
    ///
    /// A panic in `hook` is traced and changes nothing.
    pub fn rejected(mut self, hook: impl FnMut(DeadLetter<P::Event>) + Send + 'static) -> Self {
        self.producer.rejected = Some(Box::new(hook));
        self
    }

    /// Spawns the stage on the current tokio runtime.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as `tokio::spawn` does; see
    /// [`try_spawn`](Self::try_spawn).
    pub fn spawn(self) -> ProducerHandle<P, D::Route> {
        self.options().spawn(None)
    }

    /// Spawns the stage on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// [`SpawnError::NoRuntime`] outside a tokio runtime.
    pub fn try_spawn(self) -> Result<ProducerHandle<P, D::Route>, SpawnError> {
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
    pub fn spawn_in(self, group: impl AsRef<Group>) -> ProducerHandle<P, D::Route> {
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
    ) -> Result<ProducerHandle<P, D::Route>, SpawnError> {
        self.options().try_spawn(Some(group.as_ref()))
    }

    fn options(self) -> SpawnOptions<ProducerRole<P>, D> {
        SpawnOptions {
            source: self.source,
            consumer: ConsumerOptions::default(),
            name: self.name,
            producer: self.producer,
            subscriptions: Vec::new(),
        }
    }
}

impl<P: Producer, D: Dispatcher<Event = P::Event>> fmt::Debug for ProducerBuilder<P, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducerBuilder")
            .field("name", &self.name)
            .field("producer", &self.producer)
            .finish_non_exhaustive()
    }
}
