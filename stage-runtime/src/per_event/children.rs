//! The tasks that run, and how they end.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Poll, Waker};

use foldhash::fast::RandomState;
use stage_core::{BoxError, StageResult, SubscriptionId};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tracing::{Instrument, Span};

use super::reports::{End, Report, Reports};
use super::{ChildCounts, ChildId, ChildInfo, ChildTally, PerEventError, ShutdownSignal};

/// A child that runs.
pub(super) struct Child<E> {
    pub(super) id: ChildId,
    pub(super) subscription: Option<SubscriptionId>,
    /// A clone of its event, where it may be needed for a restart.
    pub(super) event: Option<E>,
    pub(super) restarts: usize,
    pub(super) signal: ShutdownSignal,
    abort: Option<AbortHandle>,
    /// Whoever has asked for it to stop, to be told when it has: by being
    /// dropped.
    stopping: Vec<oneshot::Sender<()>>,
}

impl<E> Child<E> {
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
            abort: None,
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

    pub(super) fn abort(&self) {
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }
}

/// The children of a stage.
pub(super) struct Children<E> {
    running: HashMap<ChildId, Child<E>, RandomState>,
    reports: Arc<Reports>,
    /// Reports that were read and not dealt with.
    ended: VecDeque<(ChildId, End)>,
    next: ChildId,
    counts: ChildCounts,
    tally: ChildTally,
    /// Failures that were counted and have not been traced.
    untraced: Option<(u64, BoxError)>,
}

impl<E> Children<E> {
    pub(super) fn tally(&self) -> ChildTally {
        self.tally.clone()
    }

    pub(super) const fn counts(&self) -> ChildCounts {
        self.counts
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Names a child that is about to start.
    pub(super) fn next_id(&mut self) -> ChildId {
        let id = self.next;
        self.next = id.next();
        self.counts.started += 1;
        self.counts.running += 1;
        id
    }

    /// Runs `task` as the task of `child`; the child's traces are in `span`.
    pub(super) fn spawn(
        &mut self,
        mut child: Child<E>,
        span: Span,
        task: impl Future<Output = StageResult> + Send + 'static,
    ) {
        let task = Report::new(&self.reports, child.id).of(task.instrument(span));
        child.abort = Some(tokio::spawn(task).abort_handle());
        self.running.insert(child.id, child);
    }

    /// A child whose task has ended. When there is none, `waker` is woken as
    /// soon as there is one: it has to be asked until there is none, also
    /// after a child has started.
    pub(super) fn poll_ended(&mut self, waker: &Waker) -> Option<(Child<E>, End)> {
        loop {
            while let Some((id, end)) = self.ended.pop_front() {
                if let Some(child) = self.running.remove(&id) {
                    return Some((child, end));
                }
            }
            if self.reports.poll_read(waker, &mut self.ended).is_pending() {
                return None;
            }
        }
    }

    /// Waits until a child's task has ended; `None` when none is left.
    /// Dropping the future loses nothing.
    pub(super) async fn ended(&mut self) -> Option<(Child<E>, End)> {
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
        self.tally.publish(self.counts);
        if let Some((count, error)) = self.untraced.take() {
            let total = self.counts.failed;
            tracing::warn!(count, total, %error, "children failed and are not restarted");
        }
    }

    pub(super) fn find(&mut self, id: ChildId) -> Result<&mut Child<E>, PerEventError> {
        self.running
            .get_mut(&id)
            .ok_or(PerEventError::NoSuchChild { id })
    }

    /// The children that run, the eldest first.
    pub(super) fn list(&self) -> Vec<ChildInfo> {
        let infos = self.running.values().map(|child| ChildInfo {
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
            .values()
            .for_each(|child| child.signal.request());
    }

    pub(super) fn abort_all(&self) {
        self.running.values().for_each(Child::abort);
    }
}

/// A stage whose task is dropped takes its children with it.
impl<E> Drop for Children<E> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

impl<E> Default for Children<E> {
    fn default() -> Self {
        Self {
            running: HashMap::default(),
            reports: Arc::default(),
            ended: VecDeque::new(),
            next: ChildId::FIRST,
            counts: ChildCounts::default(),
            tally: ChildTally::default(),
            untraced: None,
        }
    }
}
