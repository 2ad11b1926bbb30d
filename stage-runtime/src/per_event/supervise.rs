//! Starts children, and reaps those that have ended: counts or restarts them.

use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use futures::future::Either;
use stage_core::{BoxError, Context, StageResult, SubscriptionId, panic_message};
use tokio::time::Instant;

use super::asks::Asks;
use super::children::Child;
use super::reports::End;
use super::{ChildId, ChildWork, PerEvent, PerEventError, ShutdownSignal};

/// Children reaped before the stage does anything else: children that fail as fast as they
/// restart must not starve the rest of the stage.
const ENDS_PER_TURN: usize = 4096;

impl<W: ChildWork<E>, E: Send + 'static> PerEvent<W, E> {
    /// Starts a child without a subscription. Returns an error if the closure that creates
    /// its future panics.
    pub(super) fn try_start(&mut self, event: E) -> Result<ChildId, PerEventError> {
        let (kept, signal, task) = self.make(event);
        let task = task?;
        let child = Child::new(self.children.next_id(), None, kept, signal);
        let id = child.id;
        self.children.run(child, Either::Left(task));
        Ok(id)
    }

    /// Starts a child for an event. If the closure that creates its future panics, the
    /// child fails.
    pub(super) fn start(&mut self, event: E, subscription: Option<SubscriptionId>) {
        let (kept, signal, task) = self.make(event);
        let child = Child::new(self.children.next_id(), subscription, kept, signal);
        self.run(child, task);
    }

    /// Restarts a child that has failed.
    fn restart_child(&mut self, mut child: Child<E, W::Future>, event: E) {
        let (kept, signal, task) = self.make(event);
        child.event = kept;
        child.signal = signal;
        child.restarts += 1;
        self.children.note_restart();
        self.run(child, task);
    }

    /// Runs the future of a child, or the error in its place.
    fn run(&mut self, child: Child<E, W::Future>, task: Result<W::Future, PerEventError>) {
        let work = match task {
            Ok(task) => Either::Left(task),
            // The error runs in a task too, so that the child ends like any other that
            // fails: a child that fails at once after each restart must not loop here.
            Err(panicked) => Either::Right(ready(Err(panicked.into()))),
        };
        self.children.run(child, work);
    }

    /// Creates the parts of a child: the clone of its event, its signal, and its future.
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

    /// Reaps the children that have ended, asks for events in their places, and registers
    /// the stage's waker for the next end. Must be called at the end of every handler that
    /// starts children.
    pub(super) fn reap(&mut self, cx: &mut Context<'_>) -> StageResult {
        let reaped = self.reap_ended(cx.waker());
        self.children.publish();
        for (subscription, asks) in &mut self.asks {
            match asks.due() {
                0 => {}
                demand => cx.ask(*subscription, demand),
            }
        }
        self.end_idle();
        reaped
    }

    /// Ends idle tasks beyond the number of events that can still arrive.
    pub(super) fn end_idle(&mut self) {
        let vacant = self.asks.values().map(Asks::vacant);
        self.children
            .keep_idle(vacant.fold(0, usize::saturating_add));
    }

    /// Reaps at most [`ENDS_PER_TURN`] children, and wakes the stage if there may be more.
    fn reap_ended(&mut self, waker: &Waker) -> StageResult {
        for _ in 0..ENDS_PER_TURN {
            match self.children.poll_ended(waker) {
                None => return Ok(()),
                Some((child, end)) => self.finish(child, end)?,
            }
        }
        waker.wake_by_ref();
        Ok(())
    }

    /// Restarts a child that has ended, or counts it and frees its place.
    fn finish(&mut self, mut child: Child<E, W::Future>, end: End) -> StageResult {
        match (end, child.event.take()) {
            (End::Failed(error), Some(event)) if !child.is_stopping() => {
                if self.window.is_exceeded_by_restart(Instant::now()) {
                    return Err(self.give_up(child.id, error).into());
                }
                tracing::debug!(child = child.id.get(), %error, "child restarted");
                self.restart_child(child, event);
                return Ok(());
            }
            (end, _) => self.note(child.id, end),
        }
        if let Some(asks) = child.subscription.and_then(|from| self.asks.get_mut(&from)) {
            asks.ended();
        }
        Ok(())
    }

    /// Counts a child that has ended for good.
    fn note(&mut self, id: ChildId, end: End) {
        match end {
            End::Completed => self.children.note_completed(),
            End::Failed(error) => self.children.note_failed(id, error),
            End::Aborted => self.children.note_stopped(),
        }
    }

    /// Counts the child whose failure is one too many, and returns the error of the stage.
    fn give_up(&mut self, id: ChildId, last: BoxError) -> PerEventError {
        self.children.note_failed(id, last.to_string().into());
        PerEventError::TooManyRestarts {
            max_restarts: self.window.max_restarts,
            within: self.window.within,
            last,
        }
    }

    /// Waits until no child runs, without restarts.
    pub(super) async fn wait_for_all(&mut self) {
        while let Some((child, end)) = self.children.ended().await {
            if matches!(end, End::Aborted) && !child.is_stopping() {
                self.children.note_aborted(child.subscription);
            }
            self.note(child.id, end);
        }
    }
}
