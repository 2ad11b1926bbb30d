//! The calls of the user's handlers.
//!
//! `handle_demand` and `handle_events` are on the hot path: they are polled without
//! a box and without a guard of their own. All other handlers are guarded and
//! boxed.

use std::ops::ControlFlow::{Break, Continue};

use stage_core::{Dispatcher, Outcome, SubscribeError, SubscriptionId};

use super::consumer_half::Next;
use super::flow::{Exit, Flow, boxed_cold, cold_path, likely_continue};
use super::halves::{Consuming, Producing};
use super::role::Role;
use super::task::StageTask;
use super::timed::timed;
use super::user_stage::guard;
use crate::activity::Doing;
use crate::error::refused;
use crate::link::Ended;

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    /// Calls `handle_cancel` for consumers that cancelled and `handle_info` for
    /// infos whose turn has come.
    pub(super) async fn run_callbacks(&mut self) -> Flow {
        self.call_handle_returned().await?;
        while let Some((consumer, outcome)) = self.producer.next_cancelled() {
            tracing::debug!(consumer = %consumer.stage, id = %consumer.subscription, %outcome, "cancelled");
            let (stage, mut out) = self.handler.open(Some(consumer.subscription));
            let result = guard(
                &self.shared,
                Doing::HandleCancel,
                R::consumer_cancelled(stage, &consumer, &outcome, &mut out),
            )
            .await;
            self.finish_call(result)?;
        }
        while let Some(info) = self.producer.next_info() {
            let (stage, mut out) = self.handler.open(None);
            let result = guard(
                &self.shared,
                Doing::HandleInfo,
                R::handle_info(stage, info, &mut out),
            )
            .await;
            self.finish_call(result)?;
        }
        Continue(())
    }

    /// Calls `handle_returned` with what a consumer has handed back, and buffers
    /// what the handler leaves.
    pub(super) async fn call_handle_returned(&mut self) -> Flow {
        while let Some((id, returned)) = self.producer.next_returned() {
            let (stage, mut out) = self.handler.open(Some(id));
            let result = guard(
                &self.shared,
                Doing::HandleReturned,
                R::handle_returned(stage, returned, &mut out),
            )
            .await;
            // Before what the handler has emitted, which is younger.
            self.producer.hand_back();
            self.finish_call(result)?;
        }
        Continue(())
    }

    /// Whether [`call_handler`](Self::call_handler) has something to do: input that
    /// the stage may handle, or demand that a producer has not been given.
    pub(super) fn has_work(&self) -> bool {
        if self.completing {
            false
        } else if R::CONSUMES {
            self.consumer.has_input() && (self.may_emit() || !self.consumer.next_is_batch())
        } else {
            self.producer.has_due_demand()
        }
    }

    /// Calls one handler once: `handle_demand` of a producer, or the handler for
    /// the next input of a consumer.
    pub(super) async fn call_handler(&mut self) -> Flow {
        if R::CONSUMES {
            self.handle_input().await
        } else {
            self.answer_demand().await
        }
    }

    /// Calls `handle_demand` with demand that is unmet.
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

    /// Calls `handle_wake`: the stage's own waker was woken, or its timer has run
    /// out.
    pub(super) async fn call_handle_wake(&mut self) -> Flow {
        let (stage, mut out) = self.handler.open(None);
        let woken = guard(
            &self.shared,
            Doing::HandleWake,
            R::handle_wake(stage, &mut out),
        )
        .await;
        self.finish_call(woken)
    }

    /// Handles the next input: a batch, an info, or the end of a subscription.
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
        // If the handler failed, its batch stays the current one: `restart` and
        // `end` settle it with `fail_batch`.
        likely_continue(self.finish_handler(handled))?;
        match self.consumer.handled() {
            Ok(()) => Continue(()),
            Err(failure) => {
                cold_path();
                Break(Exit::Failed(failure))
            }
        }
    }

    /// Whether the stage may handle events. A producer-consumer does so only while
    /// its own consumers have unmet demand: this is its backpressure.
    fn may_emit(&self) -> bool {
        !R::PRODUCES || self.producer.may_emit(self.eager)
    }

    /// Handles the end of a subscription to a producer: makes the subscription
    /// that waited for it, calls `handle_cancel`, and ends the stage if the
    /// subscription's [`CancelMode`](stage_core::CancelMode) says so.
    async fn handle_ended(&mut self, id: SubscriptionId, ended: Ended) -> Flow {
        use stage_core::CancelMode::{Permanent, Pooled, Transient};

        let Some(mut upstream) = self.consumer.remove(id) else {
            return Continue(());
        };
        if let Some(next) = upstream.next.take() {
            let (subscription, reply) = *next;
            self.subscribe(subscription, None, reply).await?;
        }
        // A member of a pool may have ended before the subscription reached it; any other
        // refusal is a mistake in the wiring.
        let mut is_wrong = false;
        let outcome = match ended {
            Ended::Refused(_) if upstream.answered => return Continue(()),
            Ended::Refused(error) => {
                is_wrong = !matches!(*error, SubscribeError::ProducerEnded { .. });
                refused(&self.shared.name, *error)
            }
            Ended::Outcome(outcome) => outcome,
        };
        tracing::debug!(producer = %upstream.peer.stage, %id, %outcome, "subscription ended");
        // A permanent producer that completes lets the stage complete once no other
        // subscription is left, and so does any end of a pooled one. A permanent one that is
        // cancelled or fails ends the stage at once, and so does a transient one that fails.
        let (completes, ends) = match (upstream.peer.cancel_mode, &outcome) {
            _ if upstream.replaced => (false, false),
            (Permanent, Outcome::Completed) => (true, false),
            (Permanent, _) | (Transient, Outcome::Failed(_)) => (false, true),
            (Pooled, _) if is_wrong => (false, true),
            (Pooled, outcome) => {
                if let Outcome::Failed(failure) = outcome {
                    let producer = &upstream.peer.stage;
                    tracing::debug!(%producer, %failure, "a producer of the pool failed");
                }
                (true, false)
            }
            _ => (false, false),
        };
        if completes {
            self.consumer.note_completed();
        }
        let (stage, mut out) = self.handler.open(Some(id));
        let result = guard(
            &self.shared,
            Doing::HandleCancel,
            R::producer_cancelled(stage, &upstream.peer, &outcome, &mut out),
        )
        .await;
        match self.apply_effects(result) {
            // The stage was about to end anyway, so it is not restarted.
            Break(Exit::Failed(failure)) if ends => Break(Exit::Over(Outcome::Failed(failure))),
            Continue(()) if ends => Break(Exit::Over(outcome)),
            flow => flow,
        }
    }
}
