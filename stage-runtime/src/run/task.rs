//! The loop of a stage.

use std::any::Any;
use std::convert::Infallible;
use std::future::poll_fn;
use std::ops::ControlFlow::{Break, Continue};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use futures::FutureExt;
use futures::future::BoxFuture;
use stage_core::{BoxError, Dispatcher, Outcome};
use tokio::sync::oneshot;
use tokio::task::{consume_budget, yield_now};
use tokio::time::{Instant, sleep_until};

use super::flow::{Exit, Flow, Mostly, seldom};
use super::handler::{Handler, panicked};
use super::inlets::{InletOptions, Inlets};
use super::outlet::{Outlet, OutletOptions};
use super::role::Role;
use super::timers::{Due, Timers};
use crate::activity::Doing;
use crate::control::ControlReceiver;
use crate::error::refused;
use crate::identity::Identity;
use crate::link::Listener;
use crate::mailbox::{InletControl, MailReceiver};
use crate::outcome_sender::OutcomeSender;
use crate::outlet_control::OutletControl;
use crate::restart::Restarts;
use crate::subscription::Wired;
use crate::supervised::{Factory, Source};

/// What a stage's task is made of.
pub(crate) struct TaskOptions<R: Role, D: Dispatcher<Event = R::Out>> {
    pub(crate) identity: Arc<Identity>,
    pub(crate) source: Source<R::Stage>,
    pub(crate) inlets: InletOptions<R::In>,
    pub(crate) outlet: OutletOptions<D>,
    pub(crate) subscriptions: Vec<Wired<R::In>>,
    /// What was wrong with the options: the stage fails before it starts.
    pub(crate) refused: Option<BoxError>,
    pub(crate) inlet_control: ControlReceiver<InletControl<R::In>>,
    pub(crate) outlet_control: ControlReceiver<OutletControl<R::Out, D::Route>>,
    pub(crate) mail: MailReceiver<R::Stage, R::Out>,
    pub(crate) outcome: OutcomeSender,
    pub(crate) stage_back: oneshot::Sender<R::Stage>,
}

pub(crate) struct StageTask<R: Role, D: Dispatcher<Event = R::Out>> {
    pub(super) identity: Arc<Identity>,
    pub(super) handler: Handler<R::Stage, R::Out>,
    pub(super) inlets: Inlets<R::In>,
    pub(super) outlet: Outlet<D>,
    pub(super) timers: Timers,
    pub(super) subscriptions: Vec<Wired<R::In>>,
    pub(super) refused: Option<BoxError>,
    pub(super) inlet_control: ControlReceiver<InletControl<R::In>>,
    pub(super) outlet_control: ControlReceiver<OutletControl<R::Out, D::Route>>,
    pub(super) mail: MailReceiver<R::Stage, R::Out>,
    pub(super) outcome: OutcomeSender,
    pub(super) stage_back: oneshot::Sender<R::Stage>,
    /// What others have rung for.
    pub(super) listener: Listener,
    /// How to make the stage again, if it may be; most may not.
    pub(super) again: Option<Box<Again<R::Stage>>>,
    /// One of the handlers runs that are not guarded by themselves.
    pub(super) in_handler: bool,
    /// It completes when its producers have ended, however they did.
    pub(super) draining: bool,
    /// No more demand and no more events for the handler: what was emitted is
    /// still delivered, then the stage completes.
    pub(super) completing: bool,
}

/// A stage that always has something to do takes so many turns before it lets
/// others have its thread: those who wait for what it has sent already.
const TURNS: u32 = 8;

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
            handler: Handler::new(options.source.stage, Arc::clone(&identity)),
            again: options.source.again.map(|(factory, policy)| {
                Box::new(Again {
                    factory,
                    restarts: Restarts::new(policy),
                })
            }),
            inlets: Inlets::new(Arc::clone(&identity), options.inlets),
            outlet: Outlet::new(Arc::clone(&identity), options.outlet),
            timers: Timers::default(),
            listener: Listener::new(Arc::clone(&identity.station)),
            subscriptions: options.subscriptions,
            refused: options.refused,
            inlet_control: options.inlet_control,
            outlet_control: options.outlet_control,
            mail: options.mail,
            outcome: options.outcome,
            stage_back: options.stage_back,
            in_handler: false,
            draining: false,
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
                    exit => match self.revive(exit).await {
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
            self.take_leave(&outcome).await;
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
        let started = if anew {
            self.resume().await
        } else {
            self.start().await
        };
        match started {
            Break(exit) => exit,
            Continue(()) => self.live().await,
        }
    }

    async fn live(&mut self) -> Exit {
        let mut turns = 0;
        loop {
            match self.turn().await {
                Break(exit) => {
                    seldom();
                    return exit;
                }
                Continue(true) if turns < TURNS => {
                    turns += 1;
                    // One unit of tokio's budget per batch.
                    consume_budget().await;
                }
                Continue(true) => {
                    turns = 0;
                    yield_now().await;
                }
                Continue(false) => {
                    turns = 0;
                    self.rest().await;
                }
            }
        }
    }

    async fn start(&mut self) -> Flow {
        if let Some(error) = self.refused.take() {
            return Break(Exit::Over(refused(&self.identity.name, error)));
        }
        let producers: Vec<_> = std::mem::take(&mut self.subscriptions)
            .into_iter()
            .map(|wired| self.inlets.insert(wired))
            .collect();
        for producer in producers {
            self.begin(&producer).await?;
        }
        Continue(())
    }

    /// Does one thing of each kind that there is to do; says whether there is
    /// more.
    async fn turn(&mut self) -> Flow<bool> {
        if self.listener.is_rung() {
            let heard = self.listener.hear();
            if heard.again {
                seldom();
                self.outlet.wake();
                if R::WAKES {
                    rarely(self.be_woken()).await?;
                }
            }
            if heard.messages {
                seldom();
                rarely(self.take_messages()).await?;
            } else {
                self.fetch();
            }
        }
        if !self.timers.are_unset() {
            seldom();
            self.take_due();
        }
        if self.outlet.has_tidings() {
            seldom();
            rarely(self.tell()).await?;
        }
        if self.has_work() {
            self.work().await.mostly_goes_on()?;
        }
        if self.has_more() {
            return Continue(true);
        }
        if self.may_be_done() {
            seldom();
            rarely(self.complete_if_done()).await?;
        }
        Continue(false)
    }

    fn take_due(&mut self) {
        while let Some(due) = self.timers.take_due() {
            match due {
                Due::Demand => self.outlet.wake(),
                Due::Info(info) => self.accept_info(info),
            }
        }
    }

    fn has_more(&self) -> bool {
        self.has_work() || self.listener.is_rung() || self.outlet.has_tidings()
    }

    /// Sleeps until there is news or a delay has passed.
    async fn rest(&mut self) {
        let waits_for_demand = if R::CONSUMES {
            self.inlets.has_input()
        } else {
            !self.outlet.has_unmet_demand()
        };
        let activity = &self.identity.activity;
        let started = activity.now();
        let doing = if waits_for_demand {
            Doing::WaitingForDemand
        } else {
            Doing::WaitingForEvents
        };
        activity.set(doing);
        let completing = &self.identity.completing;
        completing.store(self.completing, Ordering::Relaxed);
        self.identity.counters.queued.set(self.inlets.queued());
        self.outlet.come_to_rest();
        let listener = &mut self.listener;
        match self.timers.next() {
            None => poll_fn(|cx| listener.poll_rung(cx)).await,
            Some(at) => rarely(rung_or_due(listener, at)).await,
        }
        let counters = &self.identity.counters;
        let waited = if waits_for_demand {
            &counters.waiting_for_demand
        } else {
            &counters.waiting_for_events
        };
        let now = self.identity.activity.tick();
        waited.add_u64(now.saturating_sub(started));
    }
}

/// Waits for a ring, or until `due`.
async fn rung_or_due(listener: &mut Listener, due: Instant) {
    let mut delay = pin!(sleep_until(due));
    poll_fn(|cx| match listener.poll_rung(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => delay.as_mut().poll(cx),
    })
    .await;
}

/// Boxes what is awaited so seldom that it is to be in the way neither of the
/// stage's state nor of the code that runs all the time.
#[cold]
#[inline(never)]
pub(super) fn rarely<'a, T>(future: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    Box::pin(future)
}
