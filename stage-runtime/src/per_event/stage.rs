//! The consumer and its options.

use std::collections::HashMap;
use std::fmt;
use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;
use std::time::Duration;

use foldhash::fast::RandomState;
use stage_core::{
    Batch, BoxError, Consumer, Context, DemandMode, Info, Outcome, Peer, StageResult,
    SubscriptionId,
};
use tokio::time::{Instant, timeout};
use tracing::Span;

use super::asks::Asks;
use super::children::{Child, Children, End};
use super::messages::Deadline;
use super::restart::Intensity;
use super::{
    ChildCounts, ChildId, ChildRestart, ChildTally, ChildWork, PerEventError, Plain, Shutdown,
    ShutdownSignal, WithSignal,
};
use crate::error::panic_message;

/// Runs a task for every event; made by [`per_event`] and [`per_event_with`].
///
/// The tasks are its *children*. It takes messages while it runs:
/// [`CountChildren`](super::CountChildren), [`ListChildren`](super::ListChildren),
/// [`StartChild`](super::StartChild), [`StopChild`](super::StopChild).
///
/// | option | default |
/// |---|---|
/// | [`restart`](Self::restart) | [`ChildRestart::Temporary`] |
/// | [`max_restarts`](Self::max_restarts) | 3 |
/// | [`within`](Self::within) | 5 s |
/// | [`shutdown`](Self::shutdown) | [`Shutdown::After`] 5 s |
pub struct PerEvent<W, E> {
    work: W,
    pub(super) children: Children<E>,
    /// By subscription, as long as it lasts.
    asks: HashMap<SubscriptionId, Asks, RandomState>,
    /// How to clone an event, if it is kept for a restart.
    keep: Option<fn(&E) -> E>,
    intensity: Intensity,
    pub(super) shutdown: Shutdown,
}

/// A consumer that runs `f` for every event in a task of its own, a *child*.
///
/// A subscription has at most `max_demand` children at a time, whatever their
/// order of ending, and asks again when `min_demand` of them have ended: 0
/// asks whenever one has. The children of several subscriptions run side by
/// side. On a runtime with several threads, children run on all of them.
///
/// A child that returns an error or panics harms no other: it is counted and
/// traced, or started again, as [`restart`](PerEvent::restart) says. So is one
/// whose future cannot be made because `f` itself panics. The stage
/// completes when its producers have, and all children have ended; until then
/// it takes messages.
///
/// ```
/// use stage_runtime::{per_event, prelude::*};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let pages = from_iter(1..=100).stage().spawn();
/// let fetcher = per_event(|page: u32| async move {
///     tokio::time::sleep(std::time::Duration::from_millis(1)).await; // Fetch it.
///     if page == 13 { Err("no such page".into()) } else { Ok(()) }
/// });
/// // Ten at a time, and the eleventh as soon as one of them has ended.
/// let ten = pages.subscription().max_demand(10).min_demand(0);
/// let fetcher = fetcher.stage().subscribe_to(ten).spawn().join_stage().await?;
/// assert_eq!((fetcher.counts().completed, fetcher.counts().failed), (99, 1));
/// # Ok(())
/// # }
/// ```
///
/// Source: `ConsumerSupervisor`.
pub fn per_event<F, Fut, E>(f: F) -> PerEvent<Plain<F>, E>
where
    F: FnMut(E) -> Fut + Send + 'static,
    Fut: Future<Output = StageResult> + Send + 'static,
{
    PerEvent::new(Plain(f))
}

/// The same as [`per_event`], with a [`ShutdownSignal`] for each child: for
/// children that have something to finish, or to clean up, when they are to
/// stop.
pub fn per_event_with<F, Fut, E>(f: F) -> PerEvent<WithSignal<F>, E>
where
    F: FnMut(E, ShutdownSignal) -> Fut + Send + 'static,
    Fut: Future<Output = StageResult> + Send + 'static,
{
    PerEvent::new(WithSignal(f))
}

impl<W, E> PerEvent<W, E> {
    fn new(work: W) -> Self {
        Self {
            work,
            children: Children::default(),
            asks: HashMap::default(),
            keep: None,
            intensity: Intensity::default(),
            shutdown: Shutdown::default(),
        }
    }

    /// What happens when a child fails; [`ChildRestart::Temporary`] unless set.
    ///
    /// A restarted child keeps its [`ChildId`] and its place: it still counts
    /// as one of `max_demand`.
    ///
    /// ```
    /// use stage_runtime::{ChildRestart, PerEventError, per_event};
    ///
    /// let sender = || per_event(|_mail: String| async { Ok(()) });
    /// assert!(sender().restart(ChildRestart::Transient).is_ok());
    /// let refused = sender().restart(ChildRestart::Permanent);
    /// assert!(matches!(refused, Err(PerEventError::PermanentRestart)));
    /// ```
    ///
    /// # Errors
    ///
    /// [`PerEventError::PermanentRestart`] for [`ChildRestart::Permanent`].
    pub fn restart(mut self, restart: ChildRestart) -> Result<Self, PerEventError>
    where
        E: Clone,
    {
        self.keep = match restart {
            ChildRestart::Permanent => return Err(PerEventError::PermanentRestart),
            ChildRestart::Transient => Some(E::clone),
            ChildRestart::Temporary => None,
        };
        Ok(self)
    }

    /// How many restarts there may be within the time set by
    /// [`within`](Self::within), over all children; 3 unless set. One more
    /// ends the stage as failed, with [`PerEventError::TooManyRestarts`]; 0
    /// makes the first failure of a child that of the stage.
    #[must_use]
    pub const fn max_restarts(mut self, max_restarts: usize) -> Self {
        self.intensity.max_restarts = max_restarts;
        self
    }

    /// The span of time in which restarts are counted; 5 s unless set.
    #[must_use]
    pub const fn within(mut self, span: Duration) -> Self {
        self.intensity.within = span;
        self
    }

    /// What happens to the children that run when the stage ends;
    /// [`Shutdown::After`] 5 s unless set.
    #[must_use]
    pub const fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// What became of the children so far.
    #[must_use]
    pub const fn counts(&self) -> ChildCounts {
        self.children.counts()
    }

    /// Reads the counts from elsewhere, and after the stage has ended.
    #[must_use]
    pub fn tally(&self) -> ChildTally {
        self.children.tally()
    }
}

impl<W: ChildWork<E>, E: Send + 'static> PerEvent<W, E> {
    /// Starts a child, unless the closure that makes its future panics.
    pub(super) fn try_start(&mut self, event: E, span: Span) -> Result<ChildId, PerEventError> {
        let (kept, signal, task) = self.make(event);
        let task = task?;
        let child = Child::new(self.children.next_id(), None, kept, signal);
        let id = child.id;
        self.children.spawn(child, span, task);
        Ok(id)
    }

    fn start(&mut self, event: E, subscription: Option<SubscriptionId>, span: Span) {
        let (kept, signal, task) = self.make(event);
        let child = Child::new(self.children.next_id(), subscription, kept, signal);
        self.spawn(child, span, task);
    }

    fn start_again(&mut self, mut child: Child<E>, event: E) {
        let (kept, signal, task) = self.make(event);
        child.event = kept;
        child.signal = signal;
        child.restarts += 1;
        self.children.note_restart();
        self.spawn(child, Span::current(), task);
    }

    fn spawn(&mut self, child: Child<E>, span: Span, task: Result<W::Future, PerEventError>) {
        match task {
            Ok(task) => self.children.spawn(child, span, task),
            // In a task as well, so that it ends as any other that fails: a
            // restart that fails at once must not go round in circles here.
            Err(panicked) => self
                .children
                .spawn(child, span, ready(Err(panicked.into()))),
        }
    }

    fn make(&mut self, event: E) -> (Option<E>, ShutdownSignal, Result<W::Future, PerEventError>) {
        let kept = self.keep.map(|clone| clone(&event));
        let signal = if W::SIGNALLED {
            ShutdownSignal::new()
        } else {
            ShutdownSignal::default()
        };
        let start = AssertUnwindSafe(|| self.work.start(event, signal.clone()));
        let task = catch_unwind(start).map_err(|panic| PerEventError::Panicked {
            message: panic_message(panic.as_ref()),
        });
        (kept, signal, task)
    }

    /// Deals with the children that have ended, and sees to it that the stage
    /// is woken when the next one does. Called at the end of every handler
    /// that starts children.
    pub(super) fn reap(&mut self, cx: &mut Context<'_>) -> StageResult {
        let reaped = self.reap_ended(cx.waker());
        self.children.publish();
        for (subscription, asks) in &mut self.asks {
            match asks.due() {
                0 => {}
                demand => cx.ask(*subscription, demand),
            }
        }
        reaped
    }

    fn reap_ended(&mut self, waker: &Waker) -> StageResult {
        while let Some((mut child, end)) = self.children.poll_ended(waker) {
            let subscription = child.subscription;
            match (end, child.event.take()) {
                (End::Failed(error), Some(event)) if !child.is_stopping() => {
                    if self.intensity.is_exceeded_by_one(Instant::now()) {
                        return Err(self.give_up(child.id, error).into());
                    }
                    tracing::debug!(child = child.id.get(), %error, "child restarted");
                    self.start_again(child, event);
                    continue;
                }
                (end, _) => self.note(child.id, end),
            }
            if let Some(asks) = subscription.and_then(|from| self.asks.get_mut(&from)) {
                asks.ended();
            }
        }
        Ok(())
    }

    fn note(&mut self, id: ChildId, end: End) {
        match end {
            End::Completed => self.children.note_completed(),
            End::Failed(error) => self.children.note_failed(id, error),
            End::Aborted => self.children.note_stopped(),
        }
    }

    fn give_up(&mut self, id: ChildId, last: BoxError) -> PerEventError {
        self.children.note_failed(id, last.to_string().into());
        PerEventError::TooManyRestarts {
            max_restarts: self.intensity.max_restarts,
            within: self.intensity.within,
            last,
        }
    }

    /// Waits until no child runs.
    async fn wait_for_all(&mut self) {
        while let Some((child, end)) = self.children.ended().await {
            self.note(child.id, end);
        }
    }
}

impl<W: ChildWork<E>, E: Send + 'static> Consumer for PerEvent<W, E> {
    type Event = E;

    async fn handle_subscribe(
        &mut self,
        producer: &Peer,
        cx: &mut Context<'_>,
    ) -> StageResult<DemandMode> {
        self.asks
            .insert(producer.subscription, Asks::new(producer.demand));
        cx.ask(producer.subscription, producer.demand.max());
        Ok(DemandMode::Manual)
    }

    async fn handle_cancel(
        &mut self,
        producer: &Peer,
        _outcome: &Outcome,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        // Its children stay.
        self.asks.remove(&producer.subscription);
        Ok(())
    }

    async fn handle_events(&mut self, events: &mut Batch<E>, cx: &mut Context<'_>) -> StageResult {
        let subscription = cx.subscription();
        let span = Span::current();
        for event in events {
            self.start(event, subscription, span.clone());
            if let Some(asks) = subscription.and_then(|from| self.asks.get_mut(&from)) {
                asks.started();
            }
        }
        self.reap(cx)
    }

    async fn handle_wake(&mut self, cx: &mut Context<'_>) -> StageResult {
        self.reap(cx)
    }

    async fn handle_info(&mut self, info: Info, _cx: &mut Context<'_>) -> StageResult {
        if let Some(Deadline(id)) = info.downcast_ref() {
            // One that has ended in time is not there any more.
            if let Ok(child) = self.children.find(*id) {
                child.abort();
            }
        }
        Ok(())
    }

    fn may_complete(&self) -> bool {
        self.children.is_empty()
    }

    async fn terminate(&mut self, _outcome: &Outcome) {
        if self.children.is_empty() {
            return;
        }
        match self.shutdown {
            Shutdown::Immediately => {}
            Shutdown::After(limit) => {
                self.children.ask_all_to_stop();
                // What is left then is aborted.
                let _ = timeout(limit, self.wait_for_all()).await;
            }
            Shutdown::Unlimited => {
                self.children.ask_all_to_stop();
                self.wait_for_all().await;
            }
        }
        let before = self.counts().stopped;
        self.children.abort_all();
        self.wait_for_all().await;
        self.children.publish();
        let count = self.counts().stopped - before;
        if count > 0 {
            let total = self.counts().stopped;
            tracing::warn!(count, total, "children aborted: their stage has ended");
        }
    }
}

impl<W, E> fmt::Debug for PerEvent<W, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerEvent")
            .field("counts", &self.counts())
            .field("shutdown", &self.shutdown)
            .finish_non_exhaustive()
    }
}
