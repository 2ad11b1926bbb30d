//! Building a producer.

use std::fmt;

use stage_core::{Dispatcher, Gate, Overflow, Producer};
use stage_dispatchers::Demand;

use super::spawn::StageOptions;
use crate::dead_letter::DeadLetter;
use crate::error::SpawnError;
use crate::handle::ProducerHandle;
use crate::pipeline::Group;
use crate::run::ProducerRole;
use crate::supervised::Source;

/// Events that a producer buffers by default. Source: `:buffer_size` of
/// GenStage.
const BUFFER_SIZE: usize = 10_000;

/// Builds a producer; made by [`stage`](super::ProducerExt::stage).
///
/// | option | default |
/// |---|---|
/// | [`name`](Self::name) | its type and number, such as `Counter#1` |
/// | [`in_group`](Self::in_group) | none |
/// | [`dispatcher`](Self::dispatcher) | [`Demand`] |
/// | [`buffer_size`](Self::buffer_size) | 10,000 events |
/// | [`on_overflow`](Self::on_overflow) | [`Overflow::DropOldest`] |
/// | [`gate`](Self::gate) | [`Gate::Open`] |
/// | [`rejected`](Self::rejected) | counted and traced |
#[must_use = "a stage does nothing before it is spawned"]
pub struct ProducerBuilder<P: Producer, D: Dispatcher<Event = P::Event>> {
    options: StageOptions<ProducerRole<P>, D>,
}

impl<P: Producer> ProducerBuilder<P, Demand<P::Event>> {
    pub(super) fn new(source: Source<P>) -> Self {
        Self {
            options: StageOptions::new(source, Demand::new(), Some(BUFFER_SIZE)),
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
    ///
    /// ```
    /// use stage_runtime::operators::from_iter;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let stage = from_iter(0..10).stage().name("numbers").spawn();
    /// assert_eq!(stage.name(), "numbers");
    /// # }
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Spawns the stage in a pipeline, or in a group of one. In neither by default.
    ///
    /// ```
    /// use stage_runtime::operators::from_iter;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let pipeline = Pipeline::new();
    /// from_iter(0..10).stage().in_group(&pipeline).spawn();
    /// assert_eq!(pipeline.snapshot().stages.len(), 1);
    /// # }
    /// ```
    pub fn in_group(mut self, group: impl AsRef<Group>) -> Self {
        self.options.group = Some(group.as_ref().clone());
        self
    }

    /// Who decides which subscriber gets which event.
    pub fn dispatcher<D2>(self, dispatcher: D2) -> ProducerBuilder<P, D2>
    where
        D2: Dispatcher<Event = P::Event> + 'static,
        D2::Route: Send + 'static,
    {
        ProducerBuilder {
            options: self.options.with_dispatcher(dispatcher),
        }
    }

    /// The most events kept that nobody has asked for, in events; 0 keeps
    /// none. Beyond it events are discarded, and counted.
    pub fn buffer_size(mut self, events: usize) -> Self {
        self.options.producer.buffer_size = Some(events);
        self
    }

    /// Keeps any number of events that nobody has asked for. Memory is then
    /// bounded by the producer alone.
    pub fn unbounded_buffer(mut self) -> Self {
        self.options.producer.buffer_size = None;
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

    /// Has `hook` called with every event that the dispatcher could send
    /// nowhere, such as one whose hash names no partition. Such events are
    /// counted and traced in any case.
    ///
    /// A panic in `hook` is traced and changes nothing.
    pub fn rejected(mut self, hook: impl FnMut(DeadLetter<P::Event>) + Send + 'static) -> Self {
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
    pub fn spawn(self) -> ProducerHandle<P, D::Route> {
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
    pub fn try_spawn(self) -> Result<ProducerHandle<P, D::Route>, SpawnError> {
        self.options.try_spawn()
    }
}

impl<P: Producer, D: Dispatcher<Event = P::Event>> fmt::Debug for ProducerBuilder<P, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducerBuilder")
            .field("name", &self.options.name)
            .field("producer", &self.options.producer)
            .finish_non_exhaustive()
    }
}
