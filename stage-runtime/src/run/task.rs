//! The task of a stage: start, event loop, restarts, end.
//!
//! Steps that run once in the life of a stage are boxed, so that the future of every
//! stage stays small and the code of the event loop stays together.

use std::any::Any;
use std::collections::HashSet;
use std::convert::Infallible;
use std::ops::ControlFlow::{Break, Continue};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::FutureExt;
use stage_core::{BoxError, Dispatcher, Outcome};

use super::consumer_half::ConsumerOptions;
use super::flow::{Exit, Flow, boxed_cold};
use super::halves::{Consuming, Producing};
use super::producer_half::ProducerOptions;
use super::role::Role;
use super::timers::Timers;
use super::user_stage::{UserStage, guard, panicked};
use crate::activity::Doing;
use crate::control::ControlReceiver;
use crate::error::refused;
use crate::link::Notifications;
use crate::outcome_guard::OutcomeGuard;
use crate::restart::Restarts;
use crate::stage_id::StageId;
use crate::subscription::Wired;
use crate::supervised::{Factory, Source};

/// The parts from which a builder makes a [`StageTask`].
pub(crate) struct TaskOptions<R: Role, D: Dispatcher<Event = R::Out>> {
    /// The state that the task shares with its handles.
    pub(crate) shared: OutcomeGuard,
    /// The user's stage, with its factory if it is supervised.
    pub(crate) source: Source<R::Stage>,
    pub(crate) consumer: ConsumerOptions<R::In>,
    pub(crate) producer: ProducerOptions<D>,
    /// A producer-consumer handles its input whether or not it was asked for more.
    pub(crate) eager: bool,
    /// The first subscriptions, already sent to their producers; or the error in
    /// the options, with which the stage fails before it starts.
    pub(crate) beginning: Result<Vec<Wired<R::In>>, BoxError>,
    pub(crate) control: ControlReceiver<R::Stage, R::In, R::Out, D::Route>,
}

/// A stage of role `R` with dispatcher `D`, run by one task.
///
/// Its methods lie in `event_loop`, `receive`, `callbacks`, `restart` and
/// `ending`.
pub(crate) struct StageTask<R: Role, D: Dispatcher<Event = R::Out>> {
    /// The user's stage, and what its handlers emit and ask for.
    pub(super) handler: UserStage<R::Stage, R::Out>,
    pub(super) consumer: R::ConsumerHalf,
    pub(super) producer: R::ProducerHalf<D>,
    pub(super) timers: Timers,
    /// See [`TaskOptions::beginning`]; empty once the stage has started.
    beginning: Result<Vec<Wired<R::In>>, BoxError>,
    /// Control requests and messages from handles.
    pub(super) control: ControlReceiver<R::Stage, R::In, R::Out, D::Route>,
    /// Which links, requests and messages wait for the task.
    pub(super) notifications: Notifications,
    /// The factory and the restart policy; `None` if the stage is not
    /// supervised.
    pub(super) supervision: Option<Box<RestartState<R::Stage>>>,
    /// `handle_demand` or `handle_events` is running. Their calls have no guard of
    /// their own; this flag tells a panic in them from one in the dispatcher.
    pub(super) in_handler: bool,
    /// Set while the stage drains, to all stages that drain with it: it completes
    /// when its producers have ended, whatever their outcome.
    pub(super) draining: Option<Arc<HashSet<StageId>>>,
    /// See [`TaskOptions::eager`].
    pub(super) eager: bool,
    /// What the stage waits for is published; see `Context::waits_for`.
    pub(super) shows_waits: bool,
    /// The handlers get no more demand and no more events. What was emitted is
    /// still delivered, then the stage completes.
    pub(super) completing: bool,
    /// The last field, so that a dropped task has dropped everything else before
    /// the guard records the outcome.
    pub(super) shared: OutcomeGuard,
}

/// The means to restart a stage.
pub(super) struct RestartState<S> {
    /// Makes a new state.
    pub(super) factory: Factory<S>,
    /// The restart policy, and the restarts so far.
    pub(super) restarts: Restarts,
}

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    /// Makes the task without running anything.
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
            eager: options.eager,
            shows_waits: false,
            draining: None,
            completing: false,
            shared,
        }
    }

    /// Runs the stage until it has ended, through all restarts.
    // Do not move `self` across an await: the future would store it twice.
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
            // Only the stage in which the failure began stops the others; a stage
            // that failed because of its producer does not.
            if let Outcome::Failed(failure) = &outcome
                && failure.stage() == &*self.shared.name
                && !self.shared.expendable
                && let Some(pipeline) = self.shared.membership()
            {
                pipeline.stop_others(&self.shared);
            }
            boxed_cold(self.log_and_terminate(&outcome)).await;
            self.end(&outcome);
        }
    }

    /// Runs the event loop and catches a panic in it.
    ///
    /// The panic is from `handle_demand` or `handle_events`, whose calls have no
    /// guard of their own, or from the user's dispatcher. A dispatcher that has
    /// panicked cannot be trusted to go on, so the stage is broken.
    async fn caught(&mut self, restarted: bool) -> Exit {
        let caught = AssertUnwindSafe(self.start_and_run(restarted)).catch_unwind();
        match caught.await {
            Ok(exit) => exit,
            Err(panic) => self.exit_after_panic(&*panic),
        }
    }

    /// Returns the exit for a panic that the event loop has caught.
    #[cold]
    fn exit_after_panic(&mut self, panic: &(dyn Any + Send)) -> Exit {
        let failure = panicked(&self.shared, panic);
        if !std::mem::take(&mut self.in_handler) {
            return Exit::Broken(failure);
        }
        // What the handler emitted before it failed stays emitted. Dispatching it
        // may panic, too.
        let failed = Err::<Infallible, _>(failure);
        match catch_unwind(AssertUnwindSafe(|| self.apply_effects(failed))) {
            Ok(Break(exit)) => exit,
            Err(panic) => Exit::Broken(panicked(&self.shared, &*panic)),
        }
    }

    /// Runs the first steps, then the event loop until there is an exit.
    async fn start_and_run(&mut self, restarted: bool) -> Exit {
        self.producer.start();
        // Boxed, so that the future of the loop has no room for the first steps.
        if let Break(exit) = boxed_cold(self.start(restarted)).await {
            return exit;
        }
        match self.run_loop().await {
            Break(exit) => exit,
        }
    }

    /// Takes the steps before the first turn of the loop: calls `handle_start`, then
    /// `handle_subscribe` for the subscriptions that a new state takes over, and
    /// makes the first subscriptions. Fails with the error in the options.
    async fn start(&mut self, restarted: bool) -> Flow {
        if self.beginning.is_err()
            && let Err(error) = std::mem::replace(&mut self.beginning, Ok(Vec::new()))
        {
            return Break(Exit::Over(refused(&self.shared.name, error)));
        }
        let (stage, mut out) = self.handler.open(None);
        let started = guard(
            &self.shared,
            Doing::HandleStart,
            R::handle_start(stage, &mut out),
        )
        .await;
        self.finish_call(started)?;
        if restarted {
            self.after_restart().await?;
        }
        // Here and not before: a state whose `handle_start` failed leaves them to
        // the next one.
        let subscriptions = std::mem::replace(&mut self.beginning, Ok(Vec::new()));
        let producers: Vec<_> = subscriptions
            .into_iter()
            .flatten()
            .map(|wired| self.consumer.insert(wired))
            .collect();
        for producer in producers {
            self.begin(&producer).await?;
        }
        Continue(())
    }
}
