//! What the three builders have in common: making the task and its handle.

use std::any::type_name;
use std::sync::Arc;

use stage_core::{Dispatcher, SubscribeError};
use tokio::runtime;

use crate::abort::AbortHandle;
use crate::control::ControlReceiver;
use crate::error::SpawnError;
use crate::handle::{Input, Output, StageHandle};
use crate::in_span::InSpan;
use crate::outcome_guard::OutcomeGuard;
use crate::pipeline::{Group, Member, Reservation};
use crate::run::{ConsumerOptions, ProducerOptions, Role, StageTask, TaskOptions};
use crate::shared::StageShared;
use crate::snapshot::StageKind;
use crate::subscription::{IntoSubscription, Subscription};
use crate::supervised::Source;

/// A stage about to be spawned: what the three builders collect.
pub(super) struct StageOptions<R: Role, D: Dispatcher<Event = R::Out>> {
    pub(super) source: Source<R::Stage>,
    pub(super) name: Option<String>,
    pub(super) group: Option<Group>,
    pub(super) consumer: ConsumerOptions<R::In>,
    pub(super) producer: ProducerOptions<D>,
    pub(super) subscriptions: Vec<Subscription<R::In>>,
}

impl<R: Role, D: Dispatcher<Event = R::Out>> StageOptions<R, D> {
    pub(super) fn new(source: Source<R::Stage>, dispatcher: D, buffer_size: Option<usize>) -> Self {
        Self {
            source,
            name: None,
            group: None,
            consumer: ConsumerOptions::default(),
            producer: ProducerOptions::new(dispatcher, buffer_size),
            subscriptions: Vec::new(),
        }
    }

    /// The same options with another dispatcher.
    pub(super) fn with_dispatcher<D2>(self, dispatcher: D2) -> StageOptions<R, D2>
    where
        D2: Dispatcher<Event = R::Out>,
    {
        StageOptions {
            source: self.source,
            name: self.name,
            group: self.group,
            consumer: self.consumer,
            producer: self.producer.with_dispatcher(dispatcher),
            subscriptions: self.subscriptions,
        }
    }

    pub(super) fn subscribe_to(&mut self, producer: impl IntoSubscription<R::In>) {
        if self.subscriptions.is_empty() {
            // Most stages have one; a vector would make room for four.
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
    /// Checks what the stage itself and its subscriptions were given.
    fn check(&self, shared: &StageShared) -> Result<(), SpawnError> {
        R::validate(&self.source.stage).map_err(|error| SpawnError::Invalid {
            stage: Arc::clone(&shared.name),
            error: error.into(),
        })?;
        let wrong = |error: SubscribeError| SpawnError::Subscription {
            stage: Arc::clone(&shared.name),
            error,
        };
        self.subscriptions
            .iter()
            .try_for_each(|subscription| subscription.terms().map(drop).map_err(wrong))
    }

    /// Spawns the stage unless something is wrong with its options.
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
        Ok(self.spawn_on(&runtime, shared, Ok(()), reservation))
    }

    /// Spawns the stage. If something is wrong with its options, it fails before
    /// its first event.
    pub(super) fn spawn<I, O>(mut self) -> StageHandle<R::Stage, I, O>
    where
        I: Input<Event = R::In>,
        O: Output<Event = R::Out, Route = D::Route>,
    {
        let group = self.group.take();
        let group = group.as_ref();
        let shared = self.shared();
        let (checked, reservation) = match self.reserve(group, &shared) {
            Ok(reservation) => (self.check(&shared), reservation),
            Err(error) => (Err(error), group.map(Group::place)),
        };
        self.spawn_on(&runtime::Handle::current(), shared, checked, reservation)
    }

    fn shared(&self) -> Arc<StageShared> {
        let kind = match (R::CONSUMES, R::PRODUCES) {
            (true, false) => StageKind::Consumer,
            (true, true) => StageKind::ProducerConsumer,
            (false, _) => StageKind::Producer,
        };
        let (stage, dispatcher) = (type_name::<R::Stage>(), type_name::<D>());
        StageShared::new(self.name.clone(), stage, kind, dispatcher)
    }

    /// A reservation in `group` for the stage, if it may have one.
    fn reserve<'a>(
        &self,
        group: Option<&'a Group>,
        shared: &StageShared,
    ) -> Result<Option<Reservation<'a>>, SpawnError> {
        let can_restart = self.source.supervision.is_some();
        group
            .map(|group| group.reserve(&shared.name, can_restart))
            .transpose()
    }

    fn spawn_on<I, O>(
        self,
        runtime: &runtime::Handle,
        shared: Arc<StageShared>,
        checked: Result<(), SpawnError>,
        reservation: Option<Reservation<'_>>,
    ) -> StageHandle<R::Stage, I, O>
    where
        I: Input<Event = R::In>,
        O: Output<Event = R::Out, Route = D::Route>,
    {
        // Here and not in the task: what is told the producers after `spawn`
        // finds the subscriptions in reservation.
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
            group: reservation.as_ref().map(Reservation::membership),
            shared: OutcomeGuard::new(Arc::clone(&shared)),
            source: self.source,
            consumer: self.consumer,
            producer: self.producer,
            beginning,
            control,
        });
        if let Some(reservation) = &reservation {
            reservation.join(&shared);
        }
        let stage = InSpan::new(task.run(), span, shared.id);
        let task = match &reservation {
            Some(reservation) => reservation.spawn(runtime, stage),
            None => AbortHandle::spawn(runtime, stage),
        };
        if let Some(reservation) = reservation {
            reservation.take(Member::new(&shared, &task));
        }
        StageHandle::new(shared, task, sender)
    }
}
