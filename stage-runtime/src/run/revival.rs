//! How a supervised stage starts over.

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
use super::halves::{InletHalf, OutletHalf};
use super::handler::guard;
use super::role::Role;
use super::task::StageTask;
use crate::activity::Doing;
use crate::identity::Identity;
use crate::link::{Listener, SleepUntil};
use crate::stats::Counters;

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    /// The loop was left: gives the stage a new state, if it is to have one,
    /// or says how the stage ends.
    pub(super) async fn revive(&mut self, exit: Exit) -> ControlFlow<Outcome> {
        let failure = match &exit {
            Exit::Failed(failure) => Some(failure),
            _ => None,
        };
        let untaken = self.inlets.fell(failure);
        let mut delay = self.next_start(&exit)?;
        let outcome = match exit {
            Exit::Over(outcome) => return Break(outcome),
            Exit::Failed(failure) | Exit::Broken(failure) => Outcome::Failed(failure),
            Exit::Finished => Outcome::Completed,
            Exit::StartOver(reason) => Outcome::Cancelled(reason),
        };
        tracing::warn!(%outcome, ?delay, "stage is restarted");
        self.terminate(&outcome).await;
        loop {
            wait(&self.identity, &mut self.listener, delay).await?;
            match self.make() {
                Ok(()) => break,
                Err(failure) => {
                    tracing::error!(%failure, "no new state could be made");
                    delay = self.next_start(&Exit::Failed(failure))?;
                }
            }
        }
        let counters = &self.identity.counters;
        counters.restarts.add(1);
        counters.retried.add(untaken);
        Continue(())
    }

    /// How long to wait before the stage starts over, or how it ends if it
    /// does not.
    fn next_start(&mut self, exit: &Exit) -> ControlFlow<Outcome, Duration> {
        let group = self.identity.group.as_ref();
        match (exit, &mut self.again) {
            (Exit::StartOver(_), Some(_)) => Continue(Duration::ZERO),
            (Exit::Failed(failure), Some(again)) => {
                let restarts = &mut again.restarts;
                if let Some(delay) = restarts.next(Instant::now()) {
                    if let Some(group) = group {
                        group.restart_others(&self.identity);
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
            (Exit::Finished, Some(again)) if again.restarts.policy.after_completion() => {
                match again.restarts.next(Instant::now()) {
                    Some(delay) => {
                        self.completing = false;
                        Continue(delay)
                    }
                    None => Break(Outcome::Completed),
                }
            }
            (Exit::Finished, _) => Break(Outcome::Completed),
            (Exit::StartOver(reason), None) => Break(Outcome::Cancelled(reason.clone())),
            (Exit::Over(outcome), _) => Break(outcome.clone()),
        }
    }

    /// Makes a new state and drops the old one.
    fn make(&mut self) -> Result<(), Failure> {
        let Some(again) = &mut self.again else {
            return Ok(());
        };
        let made = catch_unwind(AssertUnwindSafe(&mut again.factory)).map_err(|panic| {
            let message = format!("the factory panicked: {}", panic_message(panic.as_ref()));
            Failure::panic(Arc::clone(&self.identity.name), message)
        })?;
        let old = std::mem::replace(&mut self.handler.stage, made);
        count_held::<R>(&old, &self.identity.counters);
        if catch_unwind(AssertUnwindSafe(|| drop(old))).is_err() {
            tracing::error!("the old state panicked when it was dropped");
        }
        self.handler.emitted.events.clear();
        self.handler.commands = Commands::default();
        self.timers.clear();
        Ok(())
    }

    /// Tells the new state of the subscriptions that go on.
    pub(super) async fn resume(&mut self) -> Flow {
        for producer in self.inlets.start_over() {
            self.begin(&producer).await?;
        }
        for consumer in self.outlet.consumers() {
            let (stage, mut out) = self.handler.open(Some(consumer.subscription));
            let told = guard(
                &self.identity,
                Doing::HandleSubscribe,
                R::consumer_subscribed(stage, &consumer, &mut out),
            )
            .await;
            self.after(told)?;
        }
        if self.draining.is_some() && !R::CONSUMES && !self.completing {
            self.begin_drain().await?;
        }
        self.outlet.wake();
        Continue(())
    }

    /// Calls the stage's state for the last time.
    pub(super) async fn terminate(&mut self, outcome: &Outcome) {
        let terminate = async {
            R::terminate(&mut self.handler.stage, outcome).await;
            Ok(())
        };
        if let Err(failure) = guard(&self.identity, Doing::Terminate, terminate).await {
            tracing::error!(%failure, "terminate failed");
        }
    }
}

/// A state is dropped that still holds events: a source has not emitted them, and
/// of others they are lost.
pub(super) fn count_held<R: Role>(state: &R::Stage, counters: &Counters) {
    let held = R::held(state);
    if held > 0 {
        counters.drop_held(R::CONSUMES, held);
    }
}

/// Waits before a restart; a stage that is stopped meanwhile ends.
async fn wait(
    identity: &Identity,
    listener: &mut Listener,
    delay: Duration,
) -> ControlFlow<Outcome> {
    identity.activity.tick();
    identity.activity.set(Doing::Restarting);
    let mut again = false;
    // No wait needs no timer.
    let mut slept = pin!(OptionFuture::from((!delay.is_zero()).then(|| sleep(delay))));
    loop {
        let over = poll_fn(|cx| match slept.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending => listener.poll_rung(SleepUntil::Rung, cx).map(|()| false),
        })
        .await;
        again |= listener.hear().again;
        if let Some(reason) = identity.orders.stop() {
            return Break(Outcome::Cancelled(reason));
        }
        if over {
            break;
        }
    }
    identity.activity.tick();
    // What was rung meanwhile is for the stage that starts now.
    identity.station.ring();
    if again {
        identity.station.ring_again();
    }
    Continue(())
}
