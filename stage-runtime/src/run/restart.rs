//! The restart of a supervised stage.
//!
//! A restart replaces the user's state and nothing else.
//!
//! | kept | dropped |
//! |---|---|
//! | subscriptions, in both directions | the old state, after `terminate` |
//! | demand that is pending | commands of the handler that failed |
//! | events that are queued, in the buffer or in the dispatcher | delayed infos and delays |
//! | events of the failed batch that the handler had not reached | |
//! | control requests and messages | |
//!
//! While the stage waits for its backoff it takes nothing. A stop ends it at once.

use std::future::{Future, poll_fn};
use std::ops::ControlFlow::{self, Break, Continue};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::OptionFuture;
use stage_core::{Commands, Dispatcher, Failure, Outcome, panic_message};
use tokio::time::{Instant, sleep};

use super::flow::{Exit, Flow};
use super::halves::{Consuming, Producing};
use super::role::Role;
use super::task::StageTask;
use super::user_stage::{failed, guard};
use crate::activity::Doing;
use crate::link::{Notifications, WakeOn};
use crate::shared::StageShared;
use crate::stats::Counters;

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    /// Restarts the stage after its loop was left by `exit`: waits for the
    /// backoff and replaces the state. Breaks with the outcome of a stage that is
    /// not restarted.
    ///
    /// A factory that panics counts as one more failure.
    pub(super) async fn restart(&mut self, exit: Exit) -> ControlFlow<Outcome> {
        let failure = match &exit {
            Exit::Failed(failure) => Some(failure),
            _ => None,
        };
        let remaining = self.consumer.fail_batch(failure);
        let mut delay = self.next_restart(&exit)?;
        let outcome = match exit {
            Exit::Over(outcome) => return Break(outcome),
            Exit::Failed(failure) | Exit::Broken(failure) => Outcome::Failed(failure),
            Exit::Finished => Outcome::Completed,
            Exit::Restart(reason) => Outcome::Cancelled(reason),
        };
        tracing::warn!(%outcome, ?delay, "stage is restarted");
        self.terminate(&outcome).await;
        loop {
            wait(&self.shared, &mut self.notifications, delay).await?;
            match self.replace_state() {
                Ok(()) => break,
                Err(failure) => {
                    tracing::error!(%failure, "no new state could be made");
                    delay = self.next_restart(&Exit::Failed(failure))?;
                }
            }
        }
        let counters = &self.shared.counters;
        counters.restarts.add(1);
        counters.retried.add(remaining);
        Continue(())
    }

    /// Returns the delay before the next restart, or breaks with the outcome of a
    /// stage that is not restarted. Also restarts the stages of the group that the
    /// group's strategy names.
    fn next_restart(&mut self, exit: &Exit) -> ControlFlow<Outcome, Duration> {
        let pipeline = self.shared.membership();
        match (exit, &mut self.supervision) {
            // Not counted against the limit: another stage of the group failed.
            (Exit::Restart(_), Some(_)) => Continue(Duration::ZERO),
            (Exit::Failed(failure), Some(supervision)) => {
                let restarts = &mut supervision.restarts;
                if let Some(delay) = restarts.next(Instant::now()) {
                    if let Some(pipeline) = pipeline {
                        pipeline.restart_others(&self.shared);
                    }
                    return Continue(delay);
                }
                if !restarts.policy.is_never() {
                    tracing::error!(policy = ?restarts.policy, "restarted too often");
                }
                Break(Outcome::Failed(failure.clone()))
            }
            (Exit::Failed(failure), None) | (Exit::Broken(failure), _) => {
                Break(Outcome::Failed(failure.clone()))
            }
            (Exit::Finished, Some(supervision))
                if supervision.restarts.policy.after_completion() =>
            {
                match supervision.restarts.next(Instant::now()) {
                    Some(delay) => {
                        self.completing = false;
                        Continue(delay)
                    }
                    None => Break(Outcome::Completed),
                }
            }
            (Exit::Finished, _) => Break(Outcome::Completed),
            (Exit::Restart(reason), None) => Break(Outcome::Cancelled(reason.clone())),
            (Exit::Over(outcome), _) => Break(outcome.clone()),
        }
    }

    /// Makes a new state with the factory and drops the old one, with its commands
    /// and its delayed infos. Fails if the factory panics or the new state is not
    /// valid; the old state stays then.
    fn replace_state(&mut self) -> Result<(), Failure> {
        let Some(supervision) = &mut self.supervision else {
            return Ok(());
        };
        let made = catch_unwind(AssertUnwindSafe(&mut supervision.factory)).map_err(|panic| {
            let message = format!("the factory panicked: {}", panic_message(panic.as_ref()));
            Failure::panic(Arc::clone(&self.shared.name), message)
        })?;
        R::validate(&made).map_err(|error| failed(&self.shared, error))?;
        let old = std::mem::replace(&mut self.handler.stage, made);
        count_held::<R>(&old, &self.shared.counters);
        if catch_unwind(AssertUnwindSafe(|| drop(old))).is_err() {
            tracing::error!("the old state panicked when it was dropped");
        }
        self.handler.emitted.events.clear();
        self.handler.commands = Commands::default();
        self.show_waits(None);
        self.timers.clear();
        Ok(())
    }

    /// Calls `handle_subscribe` of the new state for every subscription that goes
    /// on, to producers and of consumers, and `handle_drain` if the stage drains or is a
    /// source that has completed.
    pub(super) async fn after_restart(&mut self) -> Flow {
        for producer in self.consumer.restarted() {
            self.begin(&producer).await?;
        }
        for consumer in self.producer.consumers() {
            self.call_consumer_subscribed(&consumer).await?;
        }
        // Also if the old state has completed: the new one may have begun to take input in
        // when it started, and would wait for ever for somebody to take it.
        let is_completed_source = self.completing && !R::CONSUMES;
        if R::PRODUCES && (self.draining.is_some() || is_completed_source) {
            self.begin_drain().await?;
        }
        self.producer.wake();
        Continue(())
    }

    /// Calls `terminate`, the last call of this state of the stage.
    pub(super) async fn terminate(&mut self, outcome: &Outcome) {
        let terminate = async {
            R::terminate(&mut self.handler.stage, outcome).await;
            Ok(())
        };
        if let Err(failure) = guard(&self.shared, Doing::Terminate, terminate).await {
            tracing::error!(%failure, "terminate failed");
        }
    }
}

/// Counts the events in a state that is about to be dropped: those of a source as
/// discarded, those of any other stage as lost.
pub(super) fn count_held<R: Role>(state: &R::Stage, counters: &Counters) {
    let held = R::held(state);
    if held > 0 {
        counters.drop_held(R::CONSUMES, held);
    }
}

/// Waits for `delay` before a restart. Breaks if the stage is stopped meanwhile.
async fn wait(
    shared: &StageShared,
    notifications: &mut Notifications,
    delay: Duration,
) -> ControlFlow<Outcome> {
    shared.activity.tick();
    shared.activity.set(Doing::Restarting);
    let mut woken = false;
    // No timer for no delay: even a zero sleep would register one.
    let mut slept = pin!(OptionFuture::from((!delay.is_zero()).then(|| sleep(delay))));
    loop {
        let over = poll_fn(|cx| match slept.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending => notifications.poll_notified(WakeOn::Any, cx).map(|()| false),
        })
        .await;
        woken |= notifications.take().wake;
        if let Some(reason) = shared.lifecycle.stop() {
            return Break(Outcome::Cancelled(reason));
        }
        if over {
            break;
        }
    }
    shared.activity.tick();
    // This loop has taken notifications that are for the restarted stage: set
    // their flags again.
    shared.notifier.notify();
    if woken {
        shared.notifier.notify_wake();
    }
    Continue(())
}
