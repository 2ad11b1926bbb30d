//! The life of a stage, from its first turn to its end.

use std::any::Any;
use std::collections::HashSet;
use std::convert::Infallible;
use std::ops::ControlFlow::{Break, Continue};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use stage_core::{BoxError, Dispatcher, Outcome};

use super::flow::{Exit, Flow, rarely};
use super::halves::{InletHalf, OutletHalf};
use super::handler::{Handler, panicked};
use super::inlets::InletOptions;
use super::outlet::OutletOptions;
use super::role::Role;
use super::timers::Timers;
use crate::desk::OwnDesk;
use crate::error::refused;
use crate::link::Listener;
use crate::outcome_sender::OutcomeSender;
use crate::restart::Restarts;
use crate::subscription::Wired;
use crate::supervised::{Factory, Source};

/// What a stage's task is made of.
pub(crate) struct TaskOptions<R: Role, D: Dispatcher<Event = R::Out>> {
    pub(crate) identity: OutcomeSender,
    pub(crate) source: Source<R::Stage>,
    pub(crate) inlets: InletOptions<R::In>,
    pub(crate) outlet: OutletOptions<D>,
    /// The subscriptions it has from the start, or what was wrong with the
    /// options: the stage fails before it starts.
    pub(crate) beginning: Result<Vec<Wired<R::In>>, BoxError>,
    pub(crate) desk: OwnDesk<R::Stage, R::In, R::Out, D::Route>,
}

pub(crate) struct StageTask<R: Role, D: Dispatcher<Event = R::Out>> {
    pub(super) handler: Handler<R::Stage, R::Out>,
    pub(super) inlets: R::Inlets,
    pub(super) outlet: R::Outlet<D>,
    pub(super) timers: Timers,
    beginning: Result<Vec<Wired<R::In>>, BoxError>,
    pub(super) desk: OwnDesk<R::Stage, R::In, R::Out, D::Route>,
    /// What others have rung for.
    pub(super) listener: Listener,
    /// How to make the stage again, if it may be; most may not.
    pub(super) again: Option<Box<Again<R::Stage>>>,
    /// One of the handlers runs that are not guarded by themselves.
    pub(super) in_handler: bool,
    /// It completes when its producers have ended, however they did. These
    /// stages drain as well.
    pub(super) draining: Option<Arc<HashSet<u64>>>,
    /// No more demand and no more events for the handler: what was emitted is
    /// still delivered, then the stage completes.
    pub(super) completing: bool,
    /// Who it is, and where it says how it ended. The last: of a task that is
    /// dropped everything else is gone by then.
    pub(super) identity: OutcomeSender,
}

/// How to make a stage again.
pub(super) struct Again<S> {
    pub(super) factory: Factory<S>,
    pub(super) restarts: Restarts,
}

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    pub(crate) fn new(options: TaskOptions<R, D>) -> Self {
        let identity = options.identity;
        Self {
            handler: Handler::new(options.source.stage, Arc::clone(identity.shared())),
            again: options.source.again.map(|(factory, policy)| {
                Box::new(Again {
                    factory,
                    restarts: Restarts::new(policy),
                })
            }),
            inlets: R::Inlets::new(identity.shared(), options.inlets),
            outlet: R::Outlet::new(identity.shared(), options.outlet),
            timers: Timers::default(),
            listener: Listener::new(Arc::clone(&identity.station)),
            beginning: options.beginning,
            desk: options.desk,
            in_handler: false,
            draining: None,
            completing: false,
            identity,
        }
    }

    /// Lives until the stage has ended.
    // The stage is moved nowhere while there is something to await: the future
    // would have room for it there as well.
    #[expect(
        clippy::manual_async_fn,
        reason = "its future has room for `self` twice, as the argument and as the variable"
    )]
    pub(crate) fn run(mut self) -> impl Future<Output = ()> + Send {
        async move {
            tracing::debug!("stage started");
            self.identity.activity.tick();
            let mut anew = false;
            let outcome = loop {
                match self.caught(anew).await {
                    Exit::Over(outcome) => break outcome,
                    Exit::Broken(failure) => {
                        self.outlet.write_off();
                        break Outcome::Failed(failure);
                    }
                    exit => match rarely(self.revive(exit)).await {
                        Break(outcome) => break outcome,
                        Continue(()) => anew = true,
                    },
                }
            };
            if let Outcome::Failed(failure) = &outcome
                && failure.stage() == &*self.identity.name
                && self.is_missed()
                && let Some(group) = &self.identity.group
            {
                group.stop_others(&self.identity);
            }
            rarely(self.take_leave(&outcome)).await;
            self.end(&outcome);
        }
    }

    /// Whether its pipeline cannot do without it.
    fn is_missed(&self) -> bool {
        self.again
            .as_ref()
            .is_none_or(|again| !again.restarts.policy.is_never())
    }

    /// Lives, and catches what panics. That is either one of the two handlers
    /// that are called all the time, or the user's code in a dispatcher, which
    /// then is in no state to go on.
    async fn caught(&mut self, anew: bool) -> Exit {
        let caught = AssertUnwindSafe(self.start_and_live(anew)).catch_unwind();
        match caught.await {
            Ok(exit) => exit,
            Err(panic) => self.interpret(&*panic),
        }
    }

    #[cold]
    fn interpret(&mut self, panic: &(dyn Any + Send)) -> Exit {
        let failure = panicked(&self.identity, panic);
        if !std::mem::take(&mut self.in_handler) {
            return Exit::Broken(failure);
        }
        // What it emitted before is dispatched, which may panic as well.
        let failed = Err::<Infallible, _>(failure);
        match catch_unwind(AssertUnwindSafe(|| self.after(failed))) {
            Ok(Break(exit)) => exit,
            Err(panic) => Exit::Broken(panicked(&self.identity, &*panic)),
        }
    }

    async fn start_and_live(&mut self, anew: bool) -> Exit {
        // Nothing of it is kept while the stage lives.
        if let Some(first) = self.before_the_first_turn(anew)
            && let Break(exit) = first.await
        {
            return exit;
        }
        match self.live().await {
            Break(exit) => exit,
        }
    }

    /// What there is to do before the first turn, if there is anything.
    fn before_the_first_turn(&mut self, anew: bool) -> Option<BoxFuture<'_, Flow>> {
        if anew {
            Some(rarely(self.resume()))
        } else if self.beginning.as_ref().is_ok_and(Vec::is_empty) {
            None
        } else {
            Some(rarely(self.start()))
        }
    }

    async fn start(&mut self) -> Flow {
        let subscriptions = match std::mem::replace(&mut self.beginning, Ok(Vec::new())) {
            Ok(subscriptions) => subscriptions,
            Err(error) => return Break(Exit::Over(refused(&self.identity.name, error))),
        };
        let producers: Vec<_> = subscriptions
            .into_iter()
            .map(|wired| self.inlets.insert(wired))
            .collect();
        for producer in producers {
            self.begin(&producer).await?;
        }
        Continue(())
    }
}
