//! The tasks that run, and how they end.

use std::collections::HashMap;
use std::future::Future;
use std::task::{Context, Poll, Waker};

use foldhash::fast::RandomState;
use stage_core::{BoxError, StageResult, SubscriptionId};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tracing::{Instrument, Span};

use super::{ChildCounts, ChildId, ChildInfo, ChildTally, PerEventError, ShutdownSignal};
use crate::error::panic_message;

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

/// How a child's task ended.
pub(super) enum End {
    Completed,
    Failed(BoxError),
    Aborted,
}

/// The children of a stage.
pub(super) struct Children<E> {
    tasks: JoinSet<StageResult>,
    running: HashMap<Id, Child<E>, RandomState>,
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
        self.tasks.is_empty()
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
        let abort = self.tasks.spawn(task.instrument(span));
        let id = abort.id();
        child.abort = Some(abort);
        self.running.insert(id, child);
    }

    /// A child whose task has ended. When there is none, `waker` is woken as
    /// soon as there is one: it has to be asked until there is none, also
    /// after a child has started.
    pub(super) fn poll_ended(&mut self, waker: &Waker) -> Option<(Child<E>, End)> {
        let mut cx = Context::from_waker(waker);
        while let Poll::Ready(Some(joined)) = self.tasks.poll_join_next_with_id(&mut cx) {
            if let Some(ended) = self.take(joined) {
                return Some(ended);
            }
        }
        None
    }

    /// Waits until a child's task has ended; `None` when none is left.
    /// Dropping the future loses nothing.
    pub(super) async fn ended(&mut self) -> Option<(Child<E>, End)> {
        while let Some(joined) = self.tasks.join_next_with_id().await {
            if let Some(ended) = self.take(joined) {
                return Some(ended);
            }
        }
        None
    }

    fn take(&mut self, joined: Result<(Id, StageResult), JoinError>) -> Option<(Child<E>, End)> {
        let (id, end) = match joined {
            Ok((id, Ok(()))) => (id, End::Completed),
            Ok((id, Err(error))) => (id, End::Failed(error)),
            Err(error) => (error.id(), end_of(error)),
        };
        Some((self.running.remove(&id)?, end))
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
            .values_mut()
            .find(|child| child.id == id)
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

    pub(super) fn abort_all(&mut self) {
        self.tasks.abort_all();
    }
}

impl<E> Default for Children<E> {
    fn default() -> Self {
        Self {
            tasks: JoinSet::new(),
            running: HashMap::default(),
            next: ChildId::FIRST,
            counts: ChildCounts::default(),
            tally: ChildTally::default(),
            untraced: None,
        }
    }
}

fn end_of(error: JoinError) -> End {
    match error.try_into_panic() {
        Ok(panic) => End::Failed(
            PerEventError::Panicked {
                message: panic_message(panic.as_ref()),
            }
            .into(),
        ),
        Err(_) => End::Aborted,
    }
}
