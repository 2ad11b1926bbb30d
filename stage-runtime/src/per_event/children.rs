//! [`Children`]: the running children of a stage, and their counts.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Poll, Waker};

use slab::Slab;
use stage_core::{BoxError, StageResult, SubscriptionId};
use tokio::sync::oneshot;

use super::reports::{End, Report, Reports};
use super::worker::{Work, Worker};
use super::{ChildCounts, ChildCountsHandle, ChildId, ChildInfo, PerEventError, ShutdownSignal};

/// A running child.
pub(super) struct Child<E, F> {
    pub(super) id: ChildId,
    /// The subscription of its event; `None` for a child started by a message.
    pub(super) subscription: Option<SubscriptionId>,
    /// A clone of its event, if children restart.
    pub(super) event: Option<E>,
    /// The number of its restarts.
    pub(super) restarts: usize,
    pub(super) signal: ShutdownSignal,
    /// Its task, until it is aborted.
    worker: Option<Worker<F>>,
    /// The callers that wait for its end after `StopChild`. Dropping a sender notifies its
    /// caller.
    stopping: Vec<oneshot::Sender<()>>,
}

impl<E, F> Child<E, F> {
    /// Returns a child that does not run yet.
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

    /// Returns `true` if `StopChild` has named the child.
    pub(super) fn is_stopping(&self) -> bool {
        !self.stopping.is_empty()
    }

    /// Asks the child to stop. The returned receiver fails when the child has ended.
    pub(super) fn ask_to_stop(&mut self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.stopping.push(sender);
        self.signal.request();
        receiver
    }

    /// Aborts the task, which therefore cannot be reused.
    pub(super) fn abort(&mut self) {
        self.worker = None;
    }
}

/// The children of a stage.
pub(super) struct Children<E, F> {
    /// By position: reports name a position, because a lookup by id for every child that
    /// ends would cost more.
    running: Slab<Child<E, F>>,
    /// Tasks that wait for a child.
    idle: Vec<Worker<F>>,
    reports: Arc<Reports>,
    /// The id of the next child.
    next: ChildId,
    counts: ChildCounts,
    /// Events whose children were aborted because the stage ended.
    aborted: usize,
    counts_handle: ChildCountsHandle,
    /// The number and the first error of failures that were counted and not yet traced.
    untraced: Option<(u64, BoxError)>,
}

impl<E, F: Future<Output = StageResult> + Send + 'static> Children<E, F> {
    /// Returns a handle to the published counts.
    pub(super) fn counts_handle(&self) -> ChildCountsHandle {
        self.counts_handle.clone()
    }

    /// Returns the counts now.
    pub(super) const fn counts(&self) -> ChildCounts {
        self.counts
    }

    /// Returns `true` if no child runs.
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Returns the number of events whose children run, or were aborted because the stage
    /// ended.
    pub(super) fn held(&self) -> usize {
        let of_events = |(_, child): &(usize, &Child<E, F>)| child.subscription.is_some();
        self.running.iter().filter(of_events).count() + self.aborted
    }

    /// Counts a child that is about to start, and returns its id.
    pub(super) fn next_id(&mut self) -> ChildId {
        let id = self.next;
        self.next = id.next();
        self.counts.started += 1;
        self.counts.running += 1;
        id
    }

    /// Runs the work of a child, in an idle task or a new one.
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

    /// Ends idle tasks, except for `count` of them.
    pub(super) fn keep_idle(&mut self, count: usize) {
        self.idle.truncate(count);
    }

    /// Takes a child that has ended. If there is none, the next end wakes `waker`.
    /// Therefore this must be called until it returns `None`, also after a child was
    /// started.
    pub(super) fn poll_ended(&mut self, waker: &Waker) -> Option<(Child<E, F>, End)> {
        while let Poll::Ready((place, end)) = self.reports.poll_next(waker) {
            if let Some(mut child) = self.running.try_remove(place) {
                // Not reused after a failure: the task may have ended with its child.
                if matches!(end, End::Completed) {
                    self.idle.extend(child.worker.take());
                }
                return Some((child, end));
            }
        }
        None
    }

    /// Waits until a child has ended; returns `None` if none runs. Cancel safe.
    pub(super) async fn ended(&mut self) -> Option<(Child<E, F>, End)> {
        poll_fn(|cx| match self.poll_ended(cx.waker()) {
            None if !self.running.is_empty() => Poll::Pending,
            ended => Poll::Ready(ended),
        })
        .await
    }

    /// Counts a child that has completed.
    pub(super) const fn note_completed(&mut self) {
        self.counts.running -= 1;
        self.counts.completed += 1;
    }

    /// Counts a child that was aborted.
    pub(super) const fn note_stopped(&mut self) {
        self.counts.running -= 1;
        self.counts.stopped += 1;
    }

    /// Counts the event of a child that was aborted because the stage has ended: it is lost.
    /// A child that was started by a message has no event to count.
    pub(super) fn note_aborted(&mut self, subscription: Option<SubscriptionId>) {
        self.aborted += usize::from(subscription.is_some());
    }

    /// Counts a restart.
    pub(super) const fn note_restart(&mut self) {
        self.counts.restarts += 1;
    }

    /// Counts a child that has failed for good.
    pub(super) fn note_failed(&mut self, id: ChildId, error: BoxError) {
        self.counts.running -= 1;
        self.counts.failed += 1;
        tracing::debug!(child = id.get(), %error, "child failed");
        match &mut self.untraced {
            Some((count, _first)) => *count += 1,
            none => *none = Some((1, error)),
        }
    }

    /// Publishes the counts, and traces the failures since the last call together.
    pub(super) fn publish(&mut self) {
        self.counts_handle.publish(self.counts);
        if let Some((count, error)) = self.untraced.take() {
            let total = self.counts.failed;
            tracing::warn!(count, total, %error, "children failed and are not restarted");
        }
    }

    /// Returns the running child with this id, by a linear search.
    pub(super) fn find(&mut self, id: ChildId) -> Result<&mut Child<E, F>, PerEventError> {
        self.running
            .iter_mut()
            .map(|(_, child)| child)
            .find(|child| child.id == id)
            .ok_or(PerEventError::NoSuchChild { id })
    }

    /// Returns the running children, the oldest first.
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

    /// Asks all children to stop.
    pub(super) fn ask_all_to_stop(&self) {
        self.running
            .iter()
            .for_each(|(_, child)| child.signal.request());
    }

    /// Aborts all children.
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
