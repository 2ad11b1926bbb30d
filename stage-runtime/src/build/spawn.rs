//! What the three builders have in common: making the task and its handle.

use std::any::type_name;
use std::sync::Arc;

use stage_core::{Dispatcher, SubscribeError};
use tokio::runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::Instrument;

use crate::error::SpawnError;
use crate::handle::{Input, Output, Parts, StageHandle};
use crate::identity::Identity;
use crate::mailbox::MAILBOX;
use crate::run::{OutletOptions, Role, StageTask, TaskOptions};
use crate::subscription::Subscription;

/// A stage about to be spawned.
pub(super) struct Plan<R: Role, D> {
    pub(super) stage: R::Stage,
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
    /// What is wrong with the options, if anything.
    fn check(&self, identity: &Identity) -> Result<(), SpawnError> {
        let wrong = |error: SubscribeError| SpawnError::Subscription {
            stage: Arc::clone(&identity.name),
            error,
        };
        for subscription in &self.subscriptions {
            subscription.terms().map_err(wrong)?;
        }
        Ok(())
    }

    /// Spawns the stage unless something is wrong with its options.
    pub(super) fn try_spawn<I, O>(self) -> Result<StageHandle<R::Stage, I, O>, SpawnError>
    where
        I: Input<Event = R::In>,
        O: Output<Event = R::Out, Route = D::Route>,
    {
        let identity = self.identity();
        self.check(&identity)?;
        let runtime = runtime::Handle::try_current().map_err(|_| SpawnError::NoRuntime {
            stage: Arc::clone(&identity.name),
        })?;
        Ok(self.spawn_on(&runtime, identity, None))
    }

    /// Spawns the stage; one with something wrong in its options fails before
    /// its first event.
    pub(super) fn spawn<I, O>(self) -> StageHandle<R::Stage, I, O>
    where
        I: Input<Event = R::In>,
        O: Output<Event = R::Out, Route = D::Route>,
    {
        let identity = self.identity();
        let refused = self.check(&identity).err();
        self.spawn_on(&runtime::Handle::current(), identity, refused)
    }

    fn identity(&self) -> Arc<Identity> {
        Identity::new(self.name.clone(), type_name::<R::Stage>())
    }

    fn spawn_on<I, O>(
        self,
        runtime: &runtime::Handle,
        identity: Arc<Identity>,
        refused: Option<SpawnError>,
    ) -> StageHandle<R::Stage, I, O>
    where
        I: Input<Event = R::In>,
        O: Output<Event = R::Out, Route = D::Route>,
    {
        let (inlet, inlet_control) = mpsc::unbounded_channel();
        let (outlet, outlet_control) = mpsc::unbounded_channel();
        let (mail_sender, mail) = mpsc::channel(MAILBOX);
        let (outcome, outcome_watch) = watch::channel(None);
        let (stage_back, stage_receiver) = oneshot::channel();
        let span = tracing::info_span!("stage", name = %identity.name, id = identity.id);
        let task = StageTask::<R, D>::new(TaskOptions {
            identity: Arc::clone(&identity),
            stage: self.stage,
            outlet: self.outlet,
            subscriptions: self.subscriptions,
            refused: refused.map(Into::into),
            inlet_control,
            outlet_control,
            mail,
            outcome,
            stage_back,
        });
        runtime.spawn(task.run().instrument(span));
        StageHandle::new(Parts {
            identity,
            mail: mail_sender,
            inlet,
            outlet,
            outcome: outcome_watch,
            stage_back: stage_receiver,
        })
    }
}
