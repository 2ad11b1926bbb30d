//! What the three builders have in common: making the task and its handle.

use std::any::type_name;
use std::sync::Arc;

use stage_core::{Dispatcher, SubscribeError};
use tokio::runtime;
use tracing::Instrument;

use crate::abort::AbortHandle;
use crate::desk::desk;
use crate::error::SpawnError;
use crate::handle::{Input, Output, StageHandle};
use crate::identity::Identity;
use crate::outcome_sender::OutcomeSender;
use crate::pipeline::{Group, Member, Place};
use crate::run::{InletOptions, OutletOptions, Role, StageTask, TaskOptions};
use crate::snapshot::StageKind;
use crate::subscription::{Subscription, Terms};
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
    /// The terms of the subscriptions, if all of them can work.
    fn terms(&self, identity: &Identity) -> Result<Vec<Terms>, SpawnError> {
        let wrong = |error: SubscribeError| SpawnError::Subscription {
            stage: Arc::clone(&identity.name),
            error,
        };
        self.subscriptions
            .iter()
            .map(|subscription| subscription.terms().map_err(wrong))
            .collect()
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
        let terms = self.terms(&identity)?;
        let runtime = runtime::Handle::try_current().map_err(|_| SpawnError::NoRuntime {
            stage: Arc::clone(&identity.name),
        })?;
        let place = self.place(group, &identity)?;
        Ok(self.spawn_on(&runtime, identity, Ok(terms), place))
    }

    /// Spawns the stage; one with something wrong in its options fails before
    /// its first event.
    pub(super) fn spawn<I, O>(self, group: Option<&Group>) -> StageHandle<R::Stage, I, O>
    where
        I: Input<Event = R::In>,
        O: Output<Event = R::Out, Route = D::Route>,
    {
        let identity = self.identity(group);
        let (terms, place) = match self.place(group, &identity) {
            Ok(place) => (self.terms(&identity), place),
            Err(error) => (Err(error), group.map(Group::place)),
        };
        self.spawn_on(&runtime::Handle::current(), identity, terms, place)
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
        terms: Result<Vec<Terms>, SpawnError>,
        place: Option<Place<'_>>,
    ) -> StageHandle<R::Stage, I, O>
    where
        I: Input<Event = R::In>,
        O: Output<Event = R::Out, Route = D::Route>,
    {
        let (terms, refused) = match terms {
            Ok(terms) => (terms, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        // Here and not in the task: what is told the producers after `spawn`
        // finds the subscriptions in place.
        let subscriptions = self
            .subscriptions
            .into_iter()
            .zip(terms)
            .map(|(subscription, terms)| subscription.wire_to(terms, &identity, None))
            .collect();
        let (front, desk) = desk();
        let span = tracing::error_span!("stage", name = %identity.name, id = identity.id);
        let task = StageTask::<R, D>::new(TaskOptions {
            identity: Arc::clone(&identity),
            source: self.source,
            inlets: self.inlets,
            outlet: self.outlet,
            subscriptions,
            refused: refused.map(Into::into),
            desk,
            outcome: OutcomeSender::new(Arc::clone(&identity)),
        });
        if let Some(place) = &place {
            place.join(&identity);
        }
        let stage = task.run().instrument(span);
        let task = match &place {
            Some(place) => place.spawn(runtime, stage),
            None => AbortHandle::Alone(runtime.spawn(stage).abort_handle()),
        };
        if let Some(place) = place {
            place.take(Member::new(&identity, &task));
        }
        StageHandle::new(identity, task, front)
    }
}
