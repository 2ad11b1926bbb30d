//! The tasks that run, and how they end.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Poll, Waker};

use slab::Slab;
use stage_core::{BoxError, StageResult, SubscriptionId};
use tokio::sync::oneshot;

use super::reports::{End, Report, Reports};
use super::worker::{Work, Worker};
use super::{ChildCounts, ChildCountsHandle, ChildId, ChildInfo, PerEventError, ShutdownSignal};

/// A child that runs.
pub(super) struct Child<E, F> {
    pub(super) id: ChildId,
    pub(super) subscription: Option<SubscriptionId>,
    /// A clone of its event, where it may be needed for a restart.
    pub(super) event: Option<E>,
    pub(super) restarts: usize,
    pub(super) signal: ShutdownSignal,
    /// Its task, until it is aborted.
    worker: Option<Worker<F>>,
    /// Whoever has asked for it to stop, to be told when it has: by being
    /// dropped.
    stopping: Vec<oneshot::Sender<()>>,
}

impl<E, F> Child<E, F> {
    pub(super) const fn new(
        id: ChildId,
        subscription: Option<SubscriptionId>,
        event: Option<E>,
        signal: ShutdownSignal,
    ) -> Self {
        Self {
            id,
            subscription,
            event,
            restarts: 0,
            signal,
            worker: None,
            stopping: Vec::new(),
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        !self.stopping.is_empty()
    }

    /// Asks the child to stop; returns what ends when it has.
    pub(super) fn ask_to_stop(&mut self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.stopping.push(sender);
        self.signal.request();
        receiver
    }

    /// Takes its task away, so that it runs no other child either.
    pub(super) fn abort(&mut self) {
        self.worker = None;
    }
}

/// The children of a stage.
pub(super) struct Children<E, F> {
    /// By place, which costs less to look up than a name does: of every child
    /// that ends.
    running: Slab<Child<E, F>>,
    /// Tasks that wait for a child.
    idle: Vec<Worker<F>>,
    reports: Arc<Reports>,
    next: ChildId,
    counts: ChildCounts,
    /// Children that were aborted because the stage ended.
    aborted: usize,
    counts_handle: ChildCountsHandle,
    /// Failures that were counted and have not been traced.
    untraced: Option<(u64, BoxError)>,
}

impl<E, F: Future<Output = StageResult> + Send + 'static> Children<E, F> {
    pub(super) fn counts_handle(&self) -> ChildCountsHandle {
        self.counts_handle.clone()
    }

    pub(super) const fn counts(&self) -> ChildCounts {
        self.counts
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Events whose children run, or were stopped before they had ended.
    pub(super) fn held(&self) -> usize {
        let of_events = |(_, child): &(usize, &Child<E, F>)| child.subscription.is_some();
        self.running.iter().filter(of_events).count() + self.aborted
    }

    /// Names a child that is about to start.
    pub(super) fn next_id(&mut self) -> ChildId {
        let id = self.next;
        self.next = id.next();
        self.counts.started += 1;
        self.counts.running += 1;
        id
    }

    /// Runs `work` as that of `child`, in a task that waits or in a new one.
    pub(super) fn run(&mut self, child: Child<E, F>, work: Work<F>) {
        let place = self.running.insert(child);
        let report = Report::new(&self.reports, place);
        let worker = match self.idle.pop() {
            Some(worker) => {
                worker.run(report, work);
                worker
            }
            None => Worker::spawn(report, work),
        };
        if let Some(child) = self.running.get_mut(place) {
            child.worker = Some(worker);
        }
    }

    /// Ends tasks that wait, but for so many.
    pub(super) fn keep_idle(&mut self, count: usize) {
        self.idle.truncate(count);
    }

    /// A child whose task has ended. When there is none, `waker` is woken as
    /// soon as there is one: it has to be asked until there is none, also
    /// after a child has started.
    pub(super) fn poll_ended(&mut self, waker: &Waker) -> Option<(Child<E, F>, End)> {
        while let Poll::Ready((place, end)) = self.reports.poll_next(waker) {
            if let Some(mut child) = self.running.try_remove(place) {
                // The task of one that failed may be gone with it.
                if matches!(end, End::Completed) {
                    self.idle.extend(child.worker.take());
                }
                return Some((child, end));
            }
        }
        None
    }

    /// Waits until a child's task has ended; `None` when none is left.
    /// Dropping the future loses nothing.
    pub(super) async fn ended(&mut self) -> Option<(Child<E, F>, End)> {
        poll_fn(|cx| match self.poll_ended(cx.waker()) {
            None if !self.running.is_empty() => Poll::Pending,
            ended => Poll::Ready(ended),
        })
        .await
    }

    pub(super) const fn note_completed(&mut self) {
        self.counts.running -= 1;
        self.counts.completed += 1;
    }

    pub(super) const fn note_stopped(&mut self) {
        self.counts.running -= 1;
        self.counts.stopped += 1;
    }

    /// A child was aborted because the stage has ended; its event is lost, unless
    /// it was started by hand.
    pub(super) fn note_aborted(&mut self, subscription: Option<SubscriptionId>) {
        self.aborted += usize::from(subscription.is_some());
    }

    pub(super) const fn note_restart(&mut self) {
        self.counts.restarts += 1;
    }

    /// A child has failed for good.
    pub(super) fn note_failed(&mut self, id: ChildId, error: BoxError) {
        self.counts.running -= 1;
        self.counts.failed += 1;
        tracing::debug!(child = id.get(), %error, "child failed");
        match &mut self.untraced {
            Some((count, _first)) => *count += 1,
            none => *none = Some((1, error)),
        }
    }

    /// Lets others see the counts, and traces what failed.
    pub(super) fn publish(&mut self) {
        self.counts_handle.publish(self.counts);
        if let Some((count, error)) = self.untraced.take() {
            let total = self.counts.failed;
            tracing::warn!(count, total, %error, "children failed and are not restarted");
        }
    }

    pub(super) fn find(&mut self, id: ChildId) -> Result<&mut Child<E, F>, PerEventError> {
        self.running
            .iter_mut()
            .map(|(_, child)| child)
            .find(|child| child.id == id)
            .ok_or(PerEventError::NoSuchChild { id })
    }

    /// The children that run, the eldest first.
    pub(super) fn list(&self) -> Vec<ChildInfo> {
        let infos = self.running.iter().map(|(_, child)| ChildInfo {
            id: child.id,
            subscription: child.subscription,
            restarts: child.restarts,
            stopping: child.is_stopping() || child.signal.is_requested(),
        });
        let mut infos: Vec<_> = infos.collect();
        infos.sort_unstable_by_key(|info| info.id);
        infos
    }

    pub(super) fn ask_all_to_stop(&self) {
        self.running
            .iter()
            .for_each(|(_, child)| child.signal.request());
    }

    pub(super) fn abort_all(&mut self) {
        self.running.iter_mut().for_each(|(_, child)| child.abort());
    }
}

impl<E, F> Default for Children<E, F> {
    fn default() -> Self {
        Self {
            running: Slab::new(),
            idle: Vec::new(),
            reports: Arc::default(),
            next: ChildId::FIRST,
            counts: ChildCounts::default(),
            aborted: 0,
            counts_handle: ChildCountsHandle::default(),
            untraced: None,
        }
    }
}
