//! [`AckedSteps`]: a pipeline with a step or more.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

use super::acked::assign_partition;
use super::start::{Plan, start};
use super::{AckedBatchers, Batcher, Settings, Step};
use crate::batch::BatchHandler;
use crate::message::Message;
use crate::run::{AckedPipeline, Build, BuildError, Downstream, PushMessages, Routes, build_step};
use crate::step::{
    Assign, Expand, Expanding, Handler, InPlace, Make, Process, Transform, Transforming,
};

/// A pipeline with a step or more, whose last step emits messages with data `T`. Its
/// sources lease messages with data `S`.
///
/// [`start`](Self::start) starts it without batchers: messages are acknowledged when the
/// last step has handled them.
#[must_use = "a pipeline does nothing until it is started"]
pub struct AckedSteps<S, T> {
    pub(super) name: Arc<str>,
    pub(super) settings: Settings,
    /// Builds everything up to here.
    pub(super) build: Build<T>,
    pub(super) partition: Option<Assign<T>>,
    /// Whether messages have been given partitions, here or before.
    pub(super) partitioned: bool,
    pub(super) pushes: Arc<Mutex<Vec<PushMessages<S>>>>,
}

impl<S: Send + 'static, T: Send + 'static> AckedSteps<S, T> {
    pub(super) fn new(
        name: Arc<str>,
        settings: Settings,
        build: Build<T>,
        partition: Option<Assign<T>>,
        pushes: Arc<Mutex<Vec<PushMessages<S>>>>,
    ) -> Self {
        let partitioned = partition.is_some();
        Self {
            name,
            settings,
            build,
            partition,
            partitioned,
            pushes,
        }
    }

    /// Adds a step. `handler` makes a handler for each member, and another after a panic.
    pub fn step<H, F>(self, step: impl Into<Step>, handler: F) -> AckedSteps<S, T>
    where
        H: Handler<Data = T>,
        F: Fn() -> H + Send + Sync + 'static,
    {
        self.add(step.into(), move || InPlace(handler()))
    }

    /// Adds a step that changes the type of the data.
    pub fn transform<H, F>(self, step: impl Into<Step>, handler: F) -> AckedSteps<S, H::Out>
    where
        H: Transform<In = T>,
        F: Fn() -> H + Send + Sync + 'static,
    {
        self.add(step.into(), move || Transforming(handler()))
    }

    /// Adds a step that makes several messages of one.
    pub fn expand<H, F>(self, step: impl Into<Step>, handler: F) -> AckedSteps<S, H::Out>
    where
        H: Expand<In = T>,
        F: Fn() -> H + Send + Sync + 'static,
    {
        self.add(step.into(), move || Expanding(handler()))
    }

    /// Sends messages with equal keys to the same member of each step that follows, and to
    /// the same batch handler; as
    /// [`Acked::partition_by`](super::Acked::partition_by), for a key that is known only
    /// now. Order holds from here on: members of the step before may overtake one another.
    pub fn partition_by<K: Hash>(
        mut self,
        key: impl Fn(&Message<T>) -> K + Send + Sync + 'static,
    ) -> Self {
        self.partition = Some(assign_partition(key));
        self.partitioned = true;
        self
    }

    /// Adds a batcher with its batch handlers. `handler` makes a handler for each of them,
    /// and another after a panic.
    pub fn batcher<H, F>(self, batcher: impl Into<Batcher<T>>, handler: F) -> AckedBatchers<S, T>
    where
        H: BatchHandler<Data = T>,
        F: Fn() -> H + Send + Sync + 'static,
    {
        AckedBatchers::new(self).batcher(batcher, handler)
    }

    pub(super) fn add<P, F>(self, step: Step, make: F) -> AckedSteps<S, P::Out>
    where
        P: Process<In = T>,
        F: Fn() -> P + Send + Sync + 'static,
    {
        let Self {
            name,
            settings,
            build,
            partition,
            partitioned,
            pushes,
        } = self;
        let make: Make<P> = Arc::new(make);
        let build: Build<P::Out> = Box::new(move |assembly, downstream| {
            let routes = match partitioned {
                true => Routes::Partitions(step.concurrency.max(1)),
                false => Routes::Any,
            };
            let upstream = build(
                assembly,
                Some(Downstream {
                    routes,
                    assign: partition,
                }),
            )?;
            build_step(assembly, step, make, &upstream, partitioned, downstream)
        });
        AckedSteps {
            name,
            settings,
            build,
            partition: None,
            partitioned,
            pushes,
        }
    }

    /// Starts the pipeline: messages are acknowledged when the last step has handled them.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if an option is invalid, or a guarantee cannot be given. Stages that
    /// ran already are stopped.
    pub fn start(self) -> Result<AckedPipeline<S>, BuildError> {
        let Self {
            name,
            settings,
            build,
            pushes,
            ..
        } = self;
        start(
            Plan {
                name,
                settings,
                pushes,
            },
            move |assembly| build(assembly, None).map(drop),
        )
    }
}

impl<S, T> fmt::Debug for AckedSteps<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AckedSteps")
            .field("name", &self.name)
            .field("partitioned", &self.partitioned)
            .finish_non_exhaustive()
    }
}
