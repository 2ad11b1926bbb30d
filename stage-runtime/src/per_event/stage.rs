//! The stage that runs a task for every event, and its options.

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

/// A consumer that runs a task for every event; created by [`per_event`] and
/// [`per_event_with`].
///
/// The tasks are its *children*. It handles these messages while it runs:
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
    /// The asks of each current subscription.
    pub(super) asks: HashMap<SubscriptionId, Asks, RandomState>,
    /// Clones an event for a restart of its child; `None` if children do not restart.
    pub(super) keep: Option<fn(&E) -> E>,
    /// The restarts of all children.
    pub(super) window: RestartWindow,
    pub(super) shutdown: Shutdown,
}

/// Returns a consumer that runs `f` for every event in a task of its own, a *child*.
///
/// A subscription has at most `max_demand` children at a time, which may end in any order.
/// It asks again when `min_demand` of them have ended; with 0, whenever one has. The
/// children of several subscriptions run concurrently, on all threads of the runtime.
///
/// Tasks are reused. When a child has completed, its task waits for the next child, as long
/// as another event may come. [`tokio::task::id`] is then the same for both, and no task is
/// allocated. The future of a child is dropped before its task continues.
///
/// A child that returns an error or panics does not affect the others: it is counted and
/// traced, or restarted, depending on [`restart`](PerEvent::restart). The same holds if `f`
/// itself panics. The stage completes when its producers have completed and all children
/// have ended; until then it handles messages.
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
/// // Ten children at a time, and the eleventh as soon as one of them has ended.
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

/// Like [`per_event`], but passes each child a [`ShutdownSignal`]: for children that must
/// finish or clean up when they are stopped.
///
/// See [`ShutdownSignal`] for an example.
pub fn per_event_with<F, Fut, E>(f: F) -> PerEvent<WithSignal<F>, E>
where
    F: FnMut(E, ShutdownSignal) -> Fut + Send + 'static,
    Fut: Future<Output = StageResult> + Send + 'static,
{
    PerEvent::new(WithSignal(f))
}

impl<W: ChildWork<E>, E> PerEvent<W, E> {
    /// Returns the stage with the default options.
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

    /// Sets whether a failed child restarts; [`ChildRestart::Temporary`] by default.
    ///
    /// A restarted child keeps its [`ChildId`](super::ChildId), and still counts against
    /// `max_demand`.
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

    /// Sets the maximum number of restarts, of all children together, within the time set
    /// by [`within`](Self::within); 3 by default. One more fails the stage with
    /// [`TooManyRestarts`](super::PerEventError::TooManyRestarts). With 0 the first failure
    /// of a child fails the stage.
    #[must_use]
    pub const fn max_restarts(mut self, max_restarts: usize) -> Self {
        self.window.max_restarts = max_restarts;
        self
    }

    /// Sets the period over which restarts are counted; 5 s by default.
    #[must_use]
    pub const fn within(mut self, span: Duration) -> Self {
        self.window.within = span;
        self
    }

    /// Sets how running children are stopped when the stage ends; [`Shutdown::After`] 5 s by
    /// default.
    #[must_use]
    pub const fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// Returns the numbers of running children and of those that have ended, by outcome.
    #[must_use]
    pub const fn counts(&self) -> ChildCounts {
        self.children.counts()
    }

    /// Returns a handle that reads the counts while the stage runs, and after its end.
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
