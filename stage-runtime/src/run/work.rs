//! What a stage does of itself: it runs its handlers, and carries out what
//! they emitted and asked for.

use std::ops::ControlFlow::{self, Break, Continue};

use stage_core::{Batch, Commands, Dispatcher, Failure, Outcome, SubscriptionId};

use super::handler::guard;
use super::inlets::Input;
use super::role::Role;
use super::task::StageTask;
use crate::error::refused;
use crate::link::Ended;

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    /// Tells the stage of consumers that cancelled and infos that are due.
    pub(super) async fn tell(&mut self) -> ControlFlow<Outcome, bool> {
        let mut any = false;
        while let Some((consumer, outcome)) = self.outlet.next_cancelled() {
            any = true;
            tracing::debug!(consumer = %consumer.stage, id = %consumer.subscription, %outcome, "cancelled");
            let (stage, mut out) = self.handler.open(Some(consumer.subscription));
            let told = guard(
                &self.identity,
                R::consumer_cancelled(stage, &consumer, &outcome, &mut out),
            )
            .await;
            self.after(told)?;
        }
        for info in self.outlet.take_infos() {
            any = true;
            let (stage, mut out) = self.handler.open(None);
            let told = guard(&self.identity, R::handle_info(stage, info, &mut out)).await;
            self.after(told)?;
        }
        Continue(any)
    }

    pub(super) async fn answer_demand(&mut self) -> ControlFlow<Outcome, bool> {
        if R::CONSUMES || self.completing {
            return Continue(false);
        }
        let Some(demand) = self.outlet.next_demand() else {
            return Continue(false);
        };
        let (stage, mut out) = self.handler.open(None);
        let answered = guard(
            &self.identity,
            R::handle_demand(stage, demand.get(), &mut out),
        )
        .await;
        self.after(answered)?;
        Continue(true)
    }

    /// Calls a consumer whose own waker was woken.
    pub(super) async fn be_woken(&mut self) -> ControlFlow<Outcome> {
        let (stage, mut out) = self.handler.open(None);
        let woken = guard(&self.identity, R::handle_wake(stage, &mut out)).await;
        self.after(woken)
    }

    pub(super) async fn handle_input(&mut self) -> ControlFlow<Outcome, bool> {
        if !R::CONSUMES || self.completing || (self.inlets.next_is_batch() && !self.may_emit()) {
            return Continue(false);
        }
        match self.inlets.next() {
            None => return Continue(false),
            Some(Input::Events(id, batch)) => self.handle_events(id, batch).await?,
            Some(Input::Ended(id, ended)) => self.handle_ended(id, ended).await?,
            Some(Input::Info(info)) => self.outlet.info(info),
        }
        Continue(true)
    }

    /// A producer-consumer handles events only for consumers that want some.
    fn may_emit(&self) -> bool {
        !R::PRODUCES || self.outlet.has_unmet_demand()
    }

    async fn handle_events(
        &mut self,
        id: SubscriptionId,
        batch: Batch<R::In>,
    ) -> ControlFlow<Outcome> {
        let count = batch.len();
        self.identity.counters.events_in.add(count);
        self.identity.counters.batches_in.add(1);
        let batch = self.inlets.take_in_hand(id, batch);
        let (stage, mut out) = self.handler.open(Some(id));
        let handled = guard(&self.identity, R::handle_events(stage, batch, &mut out)).await;
        // What a handler that failed has not taken is still in hand.
        self.after(handled)?;
        self.inlets.handled(count);
        Continue(())
    }

    async fn handle_ended(&mut self, id: SubscriptionId, ended: Ended) -> ControlFlow<Outcome> {
        use stage_core::Cancel::{Permanent, Transient};

        let Some(inlet) = self.inlets.remove(id) else {
            return Continue(());
        };
        let outcome = match ended {
            Ended::Refused(_) if inlet.answered => return Continue(()),
            Ended::Refused(error) => refused(&self.identity.name, error),
            Ended::Outcome(outcome) => outcome,
        };
        tracing::debug!(producer = %inlet.peer.stage, %id, %outcome, "subscription ended");
        let (stage, mut out) = self.handler.open(Some(id));
        let told = guard(
            &self.identity,
            R::producer_cancelled(stage, &inlet.peer, &outcome, &mut out),
        )
        .await;
        self.after(told)?;
        match (inlet.peer.cancel, outcome) {
            _ if inlet.replaced => Continue(()),
            (Permanent, Outcome::Completed) => {
                self.inlets.note_completed();
                Continue(())
            }
            (Permanent, outcome) | (Transient, outcome @ Outcome::Failed(_)) => Break(outcome),
            _ => Continue(()),
        }
    }

    pub(super) async fn complete_if_done(&mut self) -> ControlFlow<Outcome> {
        if R::CONSUMES
            && !self.completing
            && self.inlets.are_completed()
            && R::may_complete(&self.handler.stage)
        {
            self.completing = true;
            let (stage, mut out) = self.handler.open(None);
            let gathered = guard(&self.identity, R::handle_complete(stage, &mut out)).await;
            self.after(gathered)?;
            self.tell().await?;
        }
        if self.completing && self.outlet.is_drained() {
            return Break(Outcome::Completed);
        }
        Continue(())
    }

    /// Carries out what a handler has emitted and asked for. What it emitted
    /// before it failed stays emitted.
    pub(super) fn after<T>(&mut self, result: Result<T, Failure>) -> ControlFlow<Outcome, T> {
        if !self.handler.emitted.is_empty() {
            let spare = self.outlet.spare();
            let emitted = std::mem::replace(&mut self.handler.emitted, spare);
            self.outlet.emit(emitted);
        }
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
        match result {
            Ok(value) => Continue(value),
            Err(failure) => Break(Outcome::Failed(failure)),
        }
    }
}
