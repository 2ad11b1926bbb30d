//! The stage and its options.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use foldhash::fast::RandomState;
use stage_core::{StageResult, SubscriptionId};

use super::asks::Asks;
use super::children::Children;
use super::{
    ChildCounts, ChildCountsHandle, ChildRestart, ChildWork, Plain, Shutdown, ShutdownSignal,
    WithSignal,
};
use crate::restart_window::RestartWindow;

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
pub struct PerEvent<W: ChildWork<E>, E> {
    pub(super) work: W,
    pub(super) children: Children<E, W::Future>,
    /// By subscription, as long as it lasts.
    pub(super) asks: HashMap<SubscriptionId, Asks, RandomState>,
    /// How to clone an event, if it is kept for a restart.
    pub(super) keep: Option<fn(&E) -> E>,
    pub(super) window: RestartWindow,
    pub(super) shutdown: Shutdown,
}

/// A consumer that runs `f` for every event in a task of its own, a *child*.
///
/// A subscription has at most `max_demand` children at a time, whatever their
/// order of ending, and asks again when `min_demand` of them have ended: 0
/// asks whenever one has. The children of several subscriptions run side by
/// side. On a runtime with several threads, children run on all of them.
///
/// A task runs one child at a time. When that has completed, the task waits for
/// the next one, as long as another may come: then
/// [`tokio::task::id`] is the same for both, and nothing is allocated. What a
/// child has stored in its future is dropped before its task goes on.
///
/// A child that returns an error or panics harms no other: it is counted and
/// traced, or started again, as [`restart`](PerEvent::restart) says. So is one
/// whose future cannot be made because `f` itself panics. The stage
/// completes when its producers have, and all children have ended; until then
/// it takes messages.
///
/// ```
/// use stage_runtime::{operators::from_iter, prelude::*};
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

impl<W: ChildWork<E>, E> PerEvent<W, E> {
    fn new(work: W) -> Self {
        Self {
            work,
            children: Children::default(),
            asks: HashMap::default(),
            keep: None,
            window: RestartWindow::default(),
            shutdown: Shutdown::default(),
        }
    }

    /// What happens when a child fails; [`ChildRestart::Temporary`] unless set.
    ///
    /// A restarted child keeps its [`ChildId`](super::ChildId) and its place: it still counts
    /// as one of `max_demand`.
    ///
    /// ```
    /// use stage_runtime::per_event::{ChildRestart, per_event};
    ///
    /// let sender = per_event(|_mail: String| async { Ok(()) }).restart(ChildRestart::Transient);
    /// # drop(sender);
    /// ```
    #[must_use]
    pub fn restart(mut self, restart: ChildRestart) -> Self
    where
        E: Clone,
    {
        self.keep = match restart {
            ChildRestart::Transient => Some(E::clone),
            ChildRestart::Temporary => None,
        };
        self
    }

    /// How many restarts there may be within the time set by
    /// [`within`](Self::within), over all children; 3 unless set. One more
    /// ends the stage as failed, with [`TooManyRestarts`](super::PerEventError::TooManyRestarts); 0
    /// makes the first failure of a child that of the stage.
    #[must_use]
    pub const fn max_restarts(mut self, max_restarts: usize) -> Self {
        self.window.max_restarts = max_restarts;
        self
    }

    /// The span of time in which restarts are counted; 5 s unless set.
    #[must_use]
    pub const fn within(mut self, span: Duration) -> Self {
        self.window.within = span;
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
    pub fn counts_handle(&self) -> ChildCountsHandle {
        self.children.counts_handle()
    }
}

impl<W: ChildWork<E>, E> fmt::Debug for PerEvent<W, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerEvent")
            .field("counts", &self.counts())
            .field("shutdown", &self.shutdown)
            .finish_non_exhaustive()
    }
}
