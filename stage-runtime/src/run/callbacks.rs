//! What a stage does of itself: it runs its handlers, and carries out what
//! they emitted and asked for.

use std::ops::ControlFlow::{Break, Continue};

use stage_core::{Commands, Dispatcher, Failure, Outcome, StageResult, SubscriptionId};

use super::consumer_half::Next;
use super::flow::{Exit, Flow, boxed_cold, cold_path, likely_continue};
use super::halves::{Consuming, Producing};
use super::role::Role;
use super::task::StageTask;
use super::timed::timed;
use super::user_stage::{failed, guard};
use crate::activity::Doing;
use crate::error::refused;
use crate::link::Ended;

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    /// Tells the stage of consumers that cancelled and infos that are due.
    pub(super) async fn run_callbacks(&mut self) -> Flow {
        while let Some((consumer, outcome)) = self.producer.next_cancelled() {
            tracing::debug!(consumer = %consumer.stage, id = %consumer.subscription, %outcome, "cancelled");
            let (stage, mut out) = self.handler.open(Some(consumer.subscription));
            let told = guard(
                &self.shared,
                Doing::HandleCancel,
                R::consumer_cancelled(stage, &consumer, &outcome, &mut out),
            )
            .await;
            self.apply_effects(told)?;
        }
        while let Some(info) = self.producer.next_info() {
            let (stage, mut out) = self.handler.open(None);
            let told = guard(
                &self.shared,
                Doing::HandleInfo,
                R::handle_info(stage, info, &mut out),
            )
            .await;
            self.apply_effects(told)?;
        }
        Continue(())
    }

    /// Whether a handler can be called with demand or with what has arrived.
    pub(super) fn has_work(&self) -> bool {
        if self.completing {
            false
        } else if R::CONSUMES {
            self.consumer.has_input() && (self.may_emit() || !self.consumer.next_is_batch())
        } else {
            self.producer.has_due_demand()
        }
    }

    /// Calls a handler once.
    pub(super) async fn call_handler(&mut self) -> Flow {
        if R::CONSUMES {
            self.handle_input().await
        } else {
            self.answer_demand().await
        }
    }

    async fn answer_demand(&mut self) -> Flow {
        let Some(demand) = self.producer.next_demand() else {
            return Continue(());
        };
        let (stage, mut out) = self.handler.open(None);
        self.in_handler = true;
        let answer = R::handle_demand(stage, demand.get(), &mut out);
        let answered = timed(&self.shared, Doing::HandleDemand, answer).await;
        self.finish_handler(answered)
    }

    /// Calls a consumer whose own waker was woken.
    pub(super) async fn call_handle_wake(&mut self) -> Flow {
        let (stage, mut out) = self.handler.open(None);
        let woken = guard(
            &self.shared,
            Doing::HandleWake,
            R::handle_wake(stage, &mut out),
        )
        .await;
        self.apply_effects(woken)
    }

    async fn handle_input(&mut self) -> Flow {
        let (id, events) = match self.consumer.next() {
            Some(Next::Events(id, events)) => (id, events),
            Some(Next::Ended(id, ended)) => return boxed_cold(self.handle_ended(id, ended)).await,
            Some(Next::Info(info)) => {
                cold_path();
                self.producer.info(info);
                return Continue(());
            }
            None => return Continue(()),
        };
        self.shared.counters.events_in.add(events.len());
        self.shared.counters.batches_in.add(1);
        let (stage, mut out) = self.handler.open(Some(id));
        self.in_handler = true;
        let handling = R::handle_events(stage, events, &mut out);
        let handled = timed(&self.shared, Doing::HandleEvents, handling).await;
        // What a handler that failed has not taken is still in hand.
        likely_continue(self.finish_handler(handled))?;
        match self.consumer.handled() {
            Ok(()) => Continue(()),
            Err(failure) => {
                cold_path();
                Break(Exit::Failed(failure))
            }
        }
    }

    /// A producer-consumer handles events only for consumers that want some.
    fn may_emit(&self) -> bool {
        !R::PRODUCES || self.producer.has_unmet_demand()
    }

    async fn handle_ended(&mut self, id: SubscriptionId, ended: Ended) -> Flow {
        use stage_core::CancelMode::{Permanent, Transient};

        let Some(mut upstream) = self.consumer.remove(id) else {
            return Continue(());
        };
        if let Some(next) = upstream.next.take() {
            let (subscription, reply) = *next;
            self.subscribe(subscription, None, reply).await?;
        }
        let outcome = match ended {
            Ended::Refused(_) if upstream.answered => return Continue(()),
            Ended::Refused(error) => refused(&self.shared.name, *error),
            Ended::Outcome(outcome) => outcome,
        };
        tracing::debug!(producer = %upstream.peer.stage, %id, %outcome, "subscription ended");
        let (completes, ends) = match (upstream.peer.cancel_mode, &outcome) {
            _ if upstream.replaced => (false, false),
            (Permanent, Outcome::Completed) => (true, false),
            (Permanent, _) | (Transient, Outcome::Failed(_)) => (false, true),
            _ => (false, false),
        };
        if completes {
            self.consumer.note_completed();
        }
        let (stage, mut out) = self.handler.open(Some(id));
        let told = guard(
            &self.shared,
            Doing::HandleCancel,
            R::producer_cancelled(stage, &upstream.peer, &outcome, &mut out),
        )
        .await;
        match self.apply_effects(told) {
            // It would have ended anyway, so it is not for a restart.
            Break(Exit::Failed(failure)) if ends => Break(Exit::Over(Outcome::Failed(failure))),
            Continue(()) if ends => Break(Exit::Over(outcome)),
            flow => flow,
        }
    }

    /// Whether the stage may have come to its end.
    pub(super) fn may_be_done(&self) -> bool {
        self.completing || (R::CONSUMES && self.has_nothing_left()) || self.is_deserted()
    }

    fn has_nothing_left(&self) -> bool {
        self.consumer.are_completed() || (self.draining.is_some() && self.consumer.is_empty())
    }

    /// Whether it drains, has or may get events, and nobody is left to take them.
    fn is_deserted(&self) -> bool {
        let has_events = !R::CONSUMES || self.completing || self.consumer.has_input();
        R::PRODUCES && self.draining.is_some() && has_events && self.producer.is_deserted()
    }

    pub(super) async fn complete_if_done(&mut self) -> Flow {
        if !self.completing && self.has_nothing_left() && R::may_complete(&self.handler.stage) {
            let (stage, mut out) = self.handler.open(None);
            let gathered = guard(
                &self.shared,
                Doing::HandleComplete,
                R::handle_complete(stage, &mut out),
            )
            .await;
            // If it fails, the stage's next state is asked for what it has gathered.
            self.apply_effects(gathered)?;
            self.completing = true;
            self.run_callbacks().await?;
        }
        if self.completing && self.producer.is_drained() {
            let natural = self.draining.is_some() || (R::CONSUMES && self.consumer.is_empty());
            return Break(if natural {
                Exit::Over(Outcome::Completed)
            } else {
                Exit::Finished
            });
        }
        if self.is_deserted() {
            let why = "drained, and nobody is left to take its events";
            return Break(Exit::Over(Outcome::Cancelled(why.into())));
        }
        Continue(())
    }

    /// The same as [`after`](Self::after), for a handler that was not guarded.
    #[inline]
    fn finish_handler(&mut self, result: StageResult) -> Flow {
        self.in_handler = false;
        let result = result.map_err(|error| failed(&self.shared, error));
        self.apply_effects(result)
    }

    /// Carries out what a handler has emitted and asked for. What it emitted
    /// before it failed stays emitted.
    #[inline]
    pub(super) fn apply_effects<T>(&mut self, result: Result<T, Failure>) -> Flow<T> {
        let emitted = &mut self.handler.emitted.events;
        if !emitted.is_empty() {
            self.producer.emit(emitted);
        }
        if !self.handler.commands.are_none() {
            self.apply_commands();
        }
        match result {
            Ok(value) => Continue(value),
            Err(failure) => {
                cold_path();
                Break(Exit::Failed(failure))
            }
        }
    }

    /// Does what a handler has asked for.
    #[inline(never)]
    fn apply_commands(&mut self) {
        let Commands {
            complete,
            again,
            again_after,
            asks,
            cancels,
            infos,
        } = std::mem::take(&mut self.handler.commands);
        for (id, demand) in asks {
            self.consumer.ask(id, demand);
        }
        for (id, reason) in cancels {
            self.consumer.cancel(id, reason, false);
        }
        for (delay, info) in infos {
            self.timers.info_after(delay, info);
        }
        if again {
            self.producer.wake();
        }
        if let Some(delay) = again_after {
            self.timers.demand_after(delay);
        }
        self.completing |= complete;
    }
}
