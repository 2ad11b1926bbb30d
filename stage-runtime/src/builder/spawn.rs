//! The common part of the three builders: checks the options, makes the task, returns
//! the handle.

use std::any::type_name;
use std::sync::Arc;

use stage_core::{Bound, Dispatcher, SubscribeError};
use tokio::runtime;

use crate::abort::AbortHandle;
use crate::control::ControlReceiver;
use crate::error::SpawnError;
use crate::handle::{Input, Output, StageHandle};
use crate::in_span::InSpan;
use crate::outcome_guard::OutcomeGuard;
use crate::pipeline::{Group, Reservation};
use crate::restart::Restart;
use crate::run::{ConsumerOptions, ProducerOptions, Role, StageTask, TaskOptions};
use crate::shared::StageShared;
use crate::snapshot::StageKind;
use crate::subscription::{IntoSubscription, Subscription};
use crate::supervised::Source;

/// The options of a stage that is about to be spawned.
pub(super) struct StageOptions<R: Role, D: Dispatcher<Event = R::Out>> {
    pub(super) source: Source<R::Stage>,
    /// `None` for a name made of the type and the number.
    pub(super) name: Option<String>,
    /// `None` for a stage outside of any pipeline.
    pub(super) group: Option<Group>,
    /// The failure of the stage does not stop its pipeline.
    pub(super) expendable: bool,
    pub(super) consumer: ConsumerOptions<R::In>,
    pub(super) producer: ProducerOptions<D>,
    /// See [`ProducerConsumerBuilder::eager`](super::ProducerConsumerBuilder::eager).
    pub(super) eager: bool,
    pub(super) subscriptions: Vec<Subscription<R::In>>,
}

impl<R: Role, D: Dispatcher<Event = R::Out>> StageOptions<R, D> {
    /// Makes the default options.
    pub(super) fn new(source: Source<R::Stage>, dispatcher: D, buffer: Bound<R::Out>) -> Self {
        Self {
            source,
            name: None,
            group: None,
            expendable: false,
            consumer: ConsumerOptions::default(),
            producer: ProducerOptions::new(dispatcher, buffer),
            eager: false,
            subscriptions: Vec::new(),
        }
    }

    /// Replaces the dispatcher by one of another type.
    pub(super) fn with_dispatcher<D2>(self, dispatcher: D2) -> StageOptions<R, D2>
    where
        D2: Dispatcher<Event = R::Out>,
    {
        StageOptions {
            source: self.source,
            name: self.name,
            group: self.group,
            expendable: self.expendable,
            consumer: self.consumer,
            producer: self.producer.with_dispatcher(dispatcher),
            eager: self.eager,
            subscriptions: self.subscriptions,
        }
    }

    /// Adds a subscription.
    pub(super) fn subscribe_to(&mut self, producer: impl IntoSubscription<R::In>) {
        if self.subscriptions.is_empty() {
            // Most stages have one subscription; a push would allocate room for four.
            self.subscriptions.reserve_exact(1);
        }
        self.subscriptions.push(producer.into_subscription());
    }
}

impl<R, D> StageOptions<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send + 'static,
{
    /// Checks the options of the stage itself and of its subscriptions.
    fn check(&self, shared: &StageShared) -> Result<(), SpawnError> {
        R::validate(&self.source.stage).map_err(|error| SpawnError::Invalid {
            stage: Arc::clone(&shared.name),
            error: error.into(),
        })?;
        if self.eager && self.producer.buffer.limit().is_none() {
            return Err(SpawnError::UnboundedEager {
                stage: Arc::clone(&shared.name),
            });
        }
        let weighs = matches!(self.producer.buffer, Bound::Bytes { .. });
        if self.producer.budget.is_some() && !weighs {
            return Err(SpawnError::UnweighedBudget {
                stage: Arc::clone(&shared.name),
            });
        }
        let wrong = |error: SubscribeError| SpawnError::Subscription {
            stage: Arc::clone(&shared.name),
            error,
        };
        self.subscriptions
            .iter()
            .try_for_each(|subscription| subscription.terms().map(drop).map_err(wrong))
    }

    /// Spawns the stage, unless there is an error in its options.
    pub(super) fn try_spawn<I, O>(mut self) -> Result<StageHandle<R::Stage, I, O>, SpawnError>
    where
        I: Input<Event = R::In>,
        O: Output<Event = R::Out, Route = D::Route>,
    {
        let group = self.group.take();
        let group = group.as_ref();
        let shared = self.shared();
        self.check(&shared)?;
        let runtime = runtime::Handle::try_current().map_err(|_| SpawnError::NoRuntime {
            stage: Arc::clone(&shared.name),
        })?;
        let reservation = self.reserve(group, &shared)?;
        Ok(self.spawn_on(&runtime, shared, Ok(()), reservation.as_ref()))
    }

    /// Spawns the stage. If there is an error in its options, it fails before its first
    /// event.
    pub(super) fn spawn<I, O>(mut self) -> StageHandle<R::Stage, I, O>
    where
        I: Input<Event = R::In>,
        O: Output<Event = R::Out, Route = D::Route>,
    {
        let group = self.group.take();
        let group = group.as_ref();
        let shared = self.shared();
        // Before the reservation: this may panic, and the stage would never end.
        let runtime = runtime::Handle::current();
        let checked = self.check(&shared);
        let (reserved, reservation) = match self.reserve(group, &shared) {
            Ok(reservation) => (Ok(()), reservation),
            Err(error) => (Err(error), group.map(|group| group.place(&shared))),
        };
        self.spawn_on(
            &runtime,
            shared,
            reserved.and(checked),
            reservation.as_ref(),
        )
    }

    /// Makes the shared state of the stage.
    fn shared(&self) -> Arc<StageShared> {
        let kind = match (R::CONSUMES, R::PRODUCES) {
            (true, false) => StageKind::Consumer,
            (true, true) => StageKind::ProducerConsumer,
            (false, _) => StageKind::Producer,
        };
        let never_restarts = |(_, policy): &(_, Restart)| policy.is_never();
        let expendable =
            self.expendable || self.source.supervision.as_ref().is_some_and(never_restarts);
        let buffers_bytes = matches!(self.producer.buffer, Bound::Bytes { .. });
        StageShared::new(
            self.name.clone(),
            type_name::<R::Stage>(),
            kind,
            type_name::<D>,
            expendable,
            buffers_bytes,
        )
    }

    /// Reserves a place in `group` for the stage: its name must be free, and it must be
    /// able to restart if the group requires that.
    fn reserve<'a>(
        &self,
        group: Option<&'a Group>,
        shared: &Arc<StageShared>,
    ) -> Result<Option<Reservation<'a>>, SpawnError> {
        let can_restart = self.source.supervision.is_some();
        group
            .map(|group| group.reserve(shared, can_restart))
            .transpose()
    }

    /// Makes the task and its handle, and runs the task.
    fn spawn_on<I, O>(
        self,
        runtime: &runtime::Handle,
        shared: Arc<StageShared>,
        checked: Result<(), SpawnError>,
        reservation: Option<&Reservation<'_>>,
    ) -> StageHandle<R::Stage, I, O>
    where
        I: Input<Event = R::In>,
        O: Output<Event = R::Out, Route = D::Route>,
    {
        // Wired here and not in the task, so that requests to a producer after `spawn`,
        // such as to open its gate, come after the subscriptions.
        let subscriptions = self.subscriptions;
        let beginning = checked.map_err(Into::into).map(|()| {
            let wire = |subscription: Subscription<R::In>| {
                let terms = subscription.terms().ok()?;
                Some(subscription.wire_to(terms, &shared, None))
            };
            subscriptions.into_iter().filter_map(wire).collect()
        });
        let control = ControlReceiver::new();
        let sender = control.sender();
        let span = tracing::error_span!("stage", name = %shared.name, id = shared.id.get());
        let task = StageTask::<R, D>::new(TaskOptions {
            shared: OutcomeGuard::new(
                Arc::clone(&shared),
                reservation.map(Reservation::membership),
            ),
            source: self.source,
            consumer: self.consumer,
            producer: self.producer,
            eager: self.eager,
            beginning,
            control,
        });
        let stage = InSpan::new(task.run(), span, shared.id);
        let task = match reservation {
            Some(reservation) => reservation.spawn(runtime, &shared, stage),
            None => AbortHandle::spawn(runtime, stage),
        };
        StageHandle::new(shared, task, sender)
    }
}
