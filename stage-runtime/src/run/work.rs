//! What a stage does of itself: it runs its handlers, and carries out what
//! they emitted and asked for.

use std::ops::ControlFlow::{Break, Continue};

use stage_core::{Commands, Dispatcher, Failure, Outcome, StageResult, SubscriptionId};

use super::flow::{Exit, Flow, mostly, rarely, seldom};
use super::halves::{InletHalf, OutletHalf};
use super::handler::{failed, guard};
use super::inlets::Next;
use super::role::Role;
use super::task::StageTask;
use super::timed::timed;
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
    pub(super) async fn tell(&mut self) -> Flow {
        while let Some((consumer, outcome)) = self.outlet.next_cancelled() {
            tracing::debug!(consumer = %consumer.stage, id = %consumer.subscription, %outcome, "cancelled");
            let (stage, mut out) = self.handler.open(Some(consumer.subscription));
            let told = guard(
                &self.identity,
                Doing::HandleCancel,
                R::consumer_cancelled(stage, &consumer, &outcome, &mut out),
            )
            .await;
            self.after(told)?;
        }
        while let Some(info) = self.outlet.next_info() {
            let (stage, mut out) = self.handler.open(None);
            let told = guard(
                &self.identity,
                Doing::HandleInfo,
                R::handle_info(stage, info, &mut out),
            )
            .await;
            self.after(told)?;
        }
        Continue(())
    }

    /// Whether a handler can be called with demand or with what has arrived.
    pub(super) fn has_work(&self) -> bool {
        if self.completing {
            false
        } else if R::CONSUMES {
            self.inlets.has_input() && (self.may_emit() || !self.inlets.next_is_batch())
        } else {
            self.outlet.has_due_demand()
        }
    }

    /// Calls a handler once.
    pub(super) async fn work(&mut self) -> Flow {
        if R::CONSUMES {
            self.handle_input().await
        } else {
            self.answer_demand().await
        }
    }

    async fn answer_demand(&mut self) -> Flow {
        let Some(demand) = self.outlet.next_demand() else {
            return Continue(());
        };
        let (stage, mut out) = self.handler.open(None);
        self.in_handler = true;
        let answer = R::handle_demand(stage, demand.get(), &mut out);
        let answered = timed(&self.identity, Doing::HandleDemand, answer).await;
        self.finish(answered)
    }

    /// Calls a consumer whose own waker was woken.
    pub(super) async fn be_woken(&mut self) -> Flow {
        let (stage, mut out) = self.handler.open(None);
        let woken = guard(
            &self.identity,
            Doing::HandleWake,
            R::handle_wake(stage, &mut out),
        )
        .await;
        self.after(woken)
    }

    async fn handle_input(&mut self) -> Flow {
        let (id, events) = match self.inlets.next() {
            Some(Next::Events(id, events)) => (id, events),
            Some(Next::Ended(id, ended)) => return rarely(self.handle_ended(id, ended)).await,
            Some(Next::Info(info)) => {
                seldom();
                self.outlet.info(info);
                return Continue(());
            }
            None => return Continue(()),
        };
        self.identity.counters.events_in.add(events.len());
        self.identity.counters.batches_in.add(1);
        let (stage, mut out) = self.handler.open(Some(id));
        self.in_handler = true;
        let handling = R::handle_events(stage, events, &mut out);
        let handled = timed(&self.identity, Doing::HandleEvents, handling).await;
        // What a handler that failed has not taken is still in hand.
        mostly(self.finish(handled))?;
        match self.inlets.handled() {
            Ok(()) => Continue(()),
            Err(failure) => {
                seldom();
                Break(Exit::Failed(failure))
            }
        }
    }

    /// A producer-consumer handles events only for consumers that want some.
    fn may_emit(&self) -> bool {
        !R::PRODUCES || self.outlet.has_unmet_demand()
    }

    async fn handle_ended(&mut self, id: SubscriptionId, ended: Ended) -> Flow {
        use stage_core::Cancel::{Permanent, Transient};

        let Some(mut inlet) = self.inlets.remove(id) else {
            return Continue(());
        };
        if let Some(next) = inlet.next.take() {
            let (subscription, reply) = *next;
            self.subscribe(subscription, None, reply).await?;
        }
        let outcome = match ended {
            Ended::Refused(_) if inlet.answered => return Continue(()),
            Ended::Refused(error) => refused(&self.identity.name, *error),
            Ended::Outcome(outcome) => outcome,
        };
        tracing::debug!(producer = %inlet.peer.stage, %id, %outcome, "subscription ended");
        let (completes, ends) = match (inlet.peer.cancel, &outcome) {
            _ if inlet.replaced => (false, false),
            (Permanent, Outcome::Completed) => (true, false),
            (Permanent, _) | (Transient, Outcome::Failed(_)) => (false, true),
            _ => (false, false),
        };
        if completes {
            self.inlets.note_completed();
        }
        let (stage, mut out) = self.handler.open(Some(id));
        let told = guard(
            &self.identity,
            Doing::HandleCancel,
            R::producer_cancelled(stage, &inlet.peer, &outcome, &mut out),
        )
        .await;
        match self.after(told) {
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
        self.inlets.are_completed() || (self.draining.is_some() && self.inlets.is_empty())
    }

    /// Whether it drains, has or may get events, and nobody is left to take them.
    fn is_deserted(&self) -> bool {
        let has_events = !R::CONSUMES || self.completing || self.inlets.has_input();
        R::PRODUCES && self.draining.is_some() && has_events && self.outlet.is_deserted()
    }

    pub(super) async fn complete_if_done(&mut self) -> Flow {
        if !self.completing && self.has_nothing_left() && R::may_complete(&self.handler.stage) {
            let (stage, mut out) = self.handler.open(None);
            let gathered = guard(
                &self.identity,
                Doing::HandleComplete,
                R::handle_complete(stage, &mut out),
            )
            .await;
            // If it fails, the stage's next state is asked for what it has gathered.
            self.after(gathered)?;
            self.completing = true;
            self.tell().await?;
        }
        if self.completing && self.outlet.is_drained() {
            let natural = self.draining.is_some() || (R::CONSUMES && self.inlets.is_empty());
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
    fn finish(&mut self, result: StageResult) -> Flow {
        self.in_handler = false;
        let result = result.map_err(|error| failed(&self.identity, error));
        self.after(result)
    }

    /// Carries out what a handler has emitted and asked for. What it emitted
    /// before it failed stays emitted.
    #[inline]
    pub(super) fn after<T>(&mut self, result: Result<T, Failure>) -> Flow<T> {
        let emitted = &mut self.handler.emitted.events;
        if !emitted.is_empty() {
            self.outlet.emit(emitted);
        }
        if !self.handler.commands.are_none() {
            self.carry_out();
        }
        match result {
            Ok(value) => Continue(value),
            Err(failure) => {
                seldom();
                Break(Exit::Failed(failure))
            }
        }
    }

    /// Does what a handler has asked for.
    #[inline(never)]
    fn carry_out(&mut self) {
        let Commands {
            complete,
            again,
            again_after,
            asks,
            cancels,
            infos,
        } = std::mem::take(&mut self.handler.commands);
        for (id, demand) in asks {
            self.inlets.ask(id, demand);
        }
        for (id, reason) in cancels {
            self.inlets.cancel(id, reason, false);
        }
        for (delay, info) in infos {
            self.timers.info_after(delay, info);
        }
        if again {
            self.outlet.wake();
        }
        if let Some(delay) = again_after {
            self.timers.demand_after(delay);
        }
        self.completing |= complete;
    }
}
