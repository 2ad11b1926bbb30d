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

use super::consumer_half::ConsumerOptions;
use super::flow::{Exit, Flow, boxed_cold};
use super::halves::{Consuming, Producing};
use super::producer_half::ProducerOptions;
use super::role::Role;
use super::timers::Timers;
use super::user_stage::{UserStage, panicked};
use crate::control::ControlReceiver;
use crate::error::refused;
use crate::link::Notifications;
use crate::outcome_guard::OutcomeGuard;
use crate::restart::Restarts;
use crate::stage_id::StageId;
use crate::subscription::Wired;
use crate::supervised::{Factory, Source};

/// What a stage's task is made of.
pub(crate) struct TaskOptions<R: Role, D: Dispatcher<Event = R::Out>> {
    pub(crate) shared: OutcomeGuard,
    pub(crate) source: Source<R::Stage>,
    pub(crate) consumer: ConsumerOptions<R::In>,
    pub(crate) producer: ProducerOptions<D>,
    /// The subscriptions it has from the start, or what was wrong with the
    /// options: the stage fails before it starts.
    pub(crate) beginning: Result<Vec<Wired<R::In>>, BoxError>,
    pub(crate) control: ControlReceiver<R::Stage, R::In, R::Out, D::Route>,
}

pub(crate) struct StageTask<R: Role, D: Dispatcher<Event = R::Out>> {
    pub(super) handler: UserStage<R::Stage, R::Out>,
    pub(super) consumer: R::ConsumerHalf,
    pub(super) producer: R::ProducerHalf<D>,
    pub(super) timers: Timers,
    beginning: Result<Vec<Wired<R::In>>, BoxError>,
    pub(super) control: ControlReceiver<R::Stage, R::In, R::Out, D::Route>,
    /// What others have rung for.
    pub(super) notifications: Notifications,
    /// How to make the stage again, if it may be; most may not.
    pub(super) supervision: Option<Box<RestartState<R::Stage>>>,
    /// One of the handlers runs that are not guarded by themselves.
    pub(super) in_handler: bool,
    /// It completes when its producers have ended, however they did. These
    /// stages drain as well.
    pub(super) draining: Option<Arc<HashSet<StageId>>>,
    /// No more demand and no more events for the handler: what was emitted is
    /// still delivered, then the stage completes.
    pub(super) completing: bool,
    /// Who it is, and where it says how it ended. The last: of a task that is
    /// dropped everything else is gone by then.
    pub(super) shared: OutcomeGuard,
}

/// How to make a stage again.
pub(super) struct RestartState<S> {
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
        let shared = options.shared;
        Self {
            handler: UserStage::new(options.source.stage, Arc::clone(shared.arc())),
            supervision: options.source.supervision.map(|(factory, policy)| {
                Box::new(RestartState {
                    factory,
                    restarts: Restarts::new(policy),
                })
            }),
            consumer: R::ConsumerHalf::new(shared.arc(), options.consumer),
            producer: R::ProducerHalf::new(shared.arc(), options.producer),
            timers: Timers::default(),
            notifications: Notifications::new(Arc::clone(&shared.notifier)),
            beginning: options.beginning,
            control: options.control,
            in_handler: false,
            draining: None,
            completing: false,
            shared,
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
            self.shared.activity.tick();
            let mut restarted = false;
            let outcome = loop {
                match self.caught(restarted).await {
                    Exit::Over(outcome) => break outcome,
                    Exit::Broken(failure) => {
                        self.producer.write_off();
                        break Outcome::Failed(failure);
                    }
                    exit => match boxed_cold(self.restart(exit)).await {
                        Break(outcome) => break outcome,
                        Continue(()) => restarted = true,
                    },
                }
            };
            if let Outcome::Failed(failure) = &outcome
                && failure.stage() == &*self.shared.name
                && self.is_missed()
                && let Some(group) = &self.shared.group
            {
                group.stop_others(&self.shared);
            }
            boxed_cold(self.say_goodbye(&outcome)).await;
            self.end(&outcome);
        }
    }

    /// Whether its pipeline cannot do without it.
    fn is_missed(&self) -> bool {
        self.supervision
            .as_ref()
            .is_none_or(|supervision| !supervision.restarts.policy.is_never())
    }

    /// Lives, and catches what panics. That is either one of the two handlers
    /// that are called all the time, or the user's code in a dispatcher, which
    /// then is in no state to go on.
    async fn caught(&mut self, restarted: bool) -> Exit {
        let caught = AssertUnwindSafe(self.start_and_run(restarted)).catch_unwind();
        match caught.await {
            Ok(exit) => exit,
            Err(panic) => self.interpret(&*panic),
        }
    }

    #[cold]
    fn interpret(&mut self, panic: &(dyn Any + Send)) -> Exit {
        let failure = panicked(&self.shared, panic);
        if !std::mem::take(&mut self.in_handler) {
            return Exit::Broken(failure);
        }
        // What it emitted before is dispatched, which may panic as well.
        let failed = Err::<Infallible, _>(failure);
        match catch_unwind(AssertUnwindSafe(|| self.apply_effects(failed))) {
            Ok(Break(exit)) => exit,
            Err(panic) => Exit::Broken(panicked(&self.shared, &*panic)),
        }
    }

    async fn start_and_run(&mut self, restarted: bool) -> Exit {
        // Nothing of it is kept while the stage lives.
        if let Some(first) = self.before_loop(restarted)
            && let Break(exit) = first.await
        {
            return exit;
        }
        match self.run_loop().await {
            Break(exit) => exit,
        }
    }

    /// What there is to do before the first turn, if there is anything.
    fn before_loop(&mut self, restarted: bool) -> Option<BoxFuture<'_, Flow>> {
        if restarted {
            Some(boxed_cold(self.after_restart()))
        } else if self.beginning.as_ref().is_ok_and(Vec::is_empty) {
            None
        } else {
            Some(boxed_cold(self.start()))
        }
    }

    async fn start(&mut self) -> Flow {
        let subscriptions = match std::mem::replace(&mut self.beginning, Ok(Vec::new())) {
            Ok(subscriptions) => subscriptions,
            Err(error) => return Break(Exit::Over(refused(&self.shared.name, error))),
        };
        let producers: Vec<_> = subscriptions
            .into_iter()
            .map(|wired| self.consumer.insert(wired))
            .collect();
        for producer in producers {
            self.begin(&producer).await?;
        }
        Continue(())
    }
}
