//! [`Worker`]: a task that runs children, one after another.
//!
//! Spawning and freeing a task costs as much as the rest of a short child, so a task whose
//! child has completed is reused for the next child.

use std::fmt;
use std::future::{Future, Ready, poll_fn};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use futures::future::Either;
use parking_lot::Mutex;
use stage_core::StageResult;
use tokio::task::AbortHandle;
use tokio::task::coop::consume_budget;
use tracing::{Instrument, Span};

use super::reports::Report;

/// The work of a child: its future, or an error in its place.
pub(super) type Work<F> = Either<F, Ready<StageResult>>;

/// The stage's handle to a task that runs one child at a time. Dropping it aborts the task.
pub(super) struct Worker<F> {
    handoff: Arc<Handoff<F>>,
    task: AbortHandle,
}

impl<F: Future<Output = StageResult> + Send + 'static> Worker<F> {
    /// Spawns a task in the current span, and runs a first child.
    pub(super) fn spawn(report: Report, work: Work<F>) -> Self {
        let handoff = Arc::new(Handoff::default());
        let worker = WorkerTask(Arc::clone(&handoff));
        handoff.0.lock().next = Some((work, report));
        let task = tokio::spawn(worker.work().instrument(Span::current()));
        Self {
            handoff,
            task: task.abort_handle(),
        }
    }

    /// Runs the next child. The previous one must have completed.
    pub(super) fn run(&self, report: Report, work: Work<F>) {
        let idle = {
            let mut handoff = self.handoff.0.lock();
            handoff.next = Some((work, report));
            handoff.idle.take()
        };
        if let Some(idle) = idle {
            idle.wake();
        }
    }
}

impl<F> Drop for Worker<F> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<F> fmt::Debug for Worker<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Worker").field(&self.task.id()).finish()
    }
}

/// A slot for the next child of a task.
struct Handoff<F>(Mutex<State<F>>);

/// The part of a handoff under its lock.
struct State<F> {
    /// The next child. In this order, so that a child is dropped before its end is
    /// reported.
    next: Option<(Work<F>, Report)>,
    /// The waker of the task, if it is idle.
    idle: Option<Waker>,
}

impl<F> Handoff<F> {
    /// Takes the next child, or waits for it.
    fn poll_next(&self, cx: &Context<'_>) -> Poll<(Work<F>, Report)> {
        let mut handoff = self.0.lock();
        match handoff.next.take() {
            Some(next) => Poll::Ready(next),
            None => {
                handoff.idle = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<F> Default for Handoff<F> {
    fn default() -> Self {
        Self(Mutex::new(State {
            next: None,
            idle: None,
        }))
    }
}

/// The task's side of a [`Worker`]. It drops and reports a child that has not begun, so
/// that a panic in that drop occurs in the task and not in the stage.
struct WorkerTask<F>(Arc<Handoff<F>>);

impl<F: Future<Output = StageResult>> WorkerTask<F> {
    /// Runs one child after another, for ever.
    async fn work(self) {
        loop {
            let (work, report) = poll_fn(|cx| self.0.poll_next(cx)).await;
            // Unwind safe: a child that has panicked is not polled again.
            let result = AssertUnwindSafe(work).catch_unwind().await;
            report.with(result);
            // Children that never wait must not keep the thread.
            consume_budget().await;
        }
    }
}

impl<F> Drop for WorkerTask<F> {
    fn drop(&mut self) {
        let unbegun = self.0.0.lock().next.take();
        drop(unbegun);
    }
}

#[cfg(test)]
mod tests {
    use super::{Either, Worker};
    use crate::per_event::reports::{End, Report, Reports};
    use std::future::{pending, poll_fn, ready};
    use std::sync::Arc;

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    async fn next(reports: &Reports) -> End {
        poll_fn(|cx| reports.poll_next(cx.waker())).await.1
    }

    #[tokio::test]
    async fn one_task_runs_one_child_after_the_other() {
        let reports = Arc::new(Reports::default());
        let report = || Report::new(&reports, 0);
        let task = || async {
            tokio::task::yield_now().await;
            Err(tokio::task::id().to_string().into())
        };
        let worker = Worker::spawn(report(), Either::Left(task()));
        let name = worker.task.id().to_string();
        for _ in 0..3 {
            let End::Failed(error) = next(&reports).await else {
                panic!("it should have failed");
            };
            assert_eq!(error.to_string(), name);
            worker.run(report(), Either::Left(task()));
        }
    }

    #[tokio::test]
    async fn a_child_that_has_not_begun_is_aborted_with_its_task() {
        let reports = Arc::new(Reports::default());
        let report = || Report::new(&reports, 0);
        let worker = Worker::spawn(report(), Either::Right(ready(Ok(()))));
        assert!(matches!(next(&reports).await, End::Completed));
        worker.run(report(), Either::Left(pending()));
        drop(worker);
        assert!(matches!(next(&reports).await, End::Aborted));
        // In this case the task has never run either.
        drop(Worker::spawn(report(), Either::Left(pending())));
        assert!(matches!(next(&reports).await, End::Aborted));
    }

    #[tokio::test]
    async fn a_child_that_panics_when_dropped_has_failed() {
        let reports = Arc::new(Reports::default());
        let report = || Report::new(&reports, 0);
        let work = || {
            let bomb = PanicsWhenDropped;
            let mut ready = Some(());
            poll_fn(move |_| {
                let _ = &bomb;
                match ready.take() {
                    Some(()) => std::task::Poll::Ready(Ok(())),
                    None => std::task::Poll::Pending,
                }
            })
        };
        let worker = Worker::spawn(report(), Either::Left(work()));
        assert!(matches!(next(&reports).await, End::Failed(_)));
        drop(worker);
        let unbegun = Worker::spawn(report(), Either::Left(work()));
        drop(unbegun);
        assert!(matches!(next(&reports).await, End::Failed(_)));
    }
}
