//! What the three builders have in common: making the task and its handle.

use std::any::type_name;
use std::sync::Arc;

use stage_core::{Dispatcher, SubscribeError};
use tokio::runtime;

use crate::abort::AbortHandle;
use crate::desk::OwnDesk;
use crate::error::SpawnError;
use crate::handle::{Input, Output, StageHandle};
use crate::identity::Identity;
use crate::in_span::InSpan;
use crate::outcome_sender::OutcomeSender;
use crate::pipeline::{Group, Member, Place};
use crate::run::{InletOptions, OutletOptions, Role, StageTask, TaskOptions};
use crate::snapshot::StageKind;
use crate::subscription::Subscription;
use crate::supervised::Source;

/// A stage about to be spawned.
pub(super) struct Plan<R: Role, D: Dispatcher<Event = R::Out>> {
    pub(super) source: Source<R::Stage>,
    pub(super) inlets: InletOptions<R::In>,
    pub(super) name: Option<String>,
    pub(super) outlet: OutletOptions<D>,
    pub(super) subscriptions: Vec<Subscription<R::In>>,
}

impl<R, D> Plan<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send + 'static,
{
    /// Whether the terms of all subscriptions can work.
    fn check_terms(&self, identity: &Identity) -> Result<(), SpawnError> {
        let wrong = |error: SubscribeError| SpawnError::Subscription {
            stage: Arc::clone(&identity.name),
            error,
        };
        self.subscriptions
            .iter()
            .try_for_each(|subscription| subscription.terms().map(drop).map_err(wrong))
    }

    /// Spawns the stage, in `group` if there is one, unless something is wrong
    /// with its options.
    pub(super) fn try_spawn<I, O>(
        self,
        group: Option<&Group>,
    ) -> Result<StageHandle<R::Stage, I, O>, SpawnError>
    where
        I: Input<Event = R::In>,
        O: Output<Event = R::Out, Route = D::Route>,
    {
        let identity = self.identity(group);
        self.check_terms(&identity)?;
        let runtime = runtime::Handle::try_current().map_err(|_| SpawnError::NoRuntime {
            stage: Arc::clone(&identity.name),
        })?;
        let place = self.place(group, &identity)?;
        Ok(self.spawn_on(&runtime, identity, Ok(()), place))
    }

    /// Spawns the stage; one with something wrong in its options fails before
    /// its first event.
    pub(super) fn spawn<I, O>(self, group: Option<&Group>) -> StageHandle<R::Stage, I, O>
    where
        I: Input<Event = R::In>,
        O: Output<Event = R::Out, Route = D::Route>,
    {
        let identity = self.identity(group);
        let (checked, place) = match self.place(group, &identity) {
            Ok(place) => (self.check_terms(&identity), place),
            Err(error) => (Err(error), group.map(Group::place)),
        };
        self.spawn_on(&runtime::Handle::current(), identity, checked, place)
    }

    fn identity(&self, group: Option<&Group>) -> Arc<Identity> {
        let membership = group.map(Group::membership);
        let kind = match (R::CONSUMES, R::PRODUCES) {
            (true, false) => StageKind::Consumer,
            (true, true) => StageKind::ProducerConsumer,
            (false, _) => StageKind::Producer,
        };
        let (stage, dispatcher) = (type_name::<R::Stage>(), type_name::<D>());
        Identity::new(self.name.clone(), stage, kind, dispatcher, membership)
    }

    /// A place in `group` for the stage, if it may have one.
    fn place<'a>(
        &self,
        group: Option<&'a Group>,
        identity: &Identity,
    ) -> Result<Option<Place<'a>>, SpawnError> {
        let can_start_over = self.source.again.is_some();
        group
            .map(|group| group.reserve(&identity.name, can_start_over))
            .transpose()
    }

    fn spawn_on<I, O>(
        self,
        runtime: &runtime::Handle,
        identity: Arc<Identity>,
        checked: Result<(), SpawnError>,
        place: Option<Place<'_>>,
    ) -> StageHandle<R::Stage, I, O>
    where
        I: Input<Event = R::In>,
        O: Output<Event = R::Out, Route = D::Route>,
    {
        // Here and not in the task: what is told the producers after `spawn`
        // finds the subscriptions in place.
        let subscriptions = self.subscriptions;
        let beginning = checked.map_err(Into::into).map(|()| {
            let wire = |subscription: Subscription<R::In>| {
                let terms = subscription.terms().ok()?;
                Some(subscription.wire_to(terms, &identity, None))
            };
            subscriptions.into_iter().filter_map(wire).collect()
        });
        let desk = OwnDesk::new();
        let front = desk.front();
        let span = tracing::error_span!("stage", name = %identity.name, id = identity.id);
        let task = StageTask::<R, D>::new(TaskOptions {
            identity: OutcomeSender::new(Arc::clone(&identity)),
            source: self.source,
            inlets: self.inlets,
            outlet: self.outlet,
            beginning,
            desk,
        });
        if let Some(place) = &place {
            place.join(&identity);
        }
        let stage = InSpan::new(task.run(), span, identity.id);
        let task = match &place {
            Some(place) => place.spawn(runtime, stage),
            None => AbortHandle::spawn(runtime, stage),
        };
        if let Some(place) = place {
            place.take(Member::new(&identity, &task));
        }
        StageHandle::new(identity, task, front)
    }
}
