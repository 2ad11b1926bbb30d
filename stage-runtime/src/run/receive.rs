//! Input of a stage from outside: links, control requests, messages, and
//! requests to stop, complete, restart or drain.
//!
//! They are taken in this order:
//!
//! 1. Requests to stop, complete, drain or restart, because they decide what
//!    becomes of the rest.
//! 2. The links that have notified the stage: events, asks, cancellations.
//! 3. Control requests and messages in turn, at most [`MESSAGES_PER_TURN`] of each;
//!    the others wait for the next turn of the event loop.
//!
//! Most notifications are of links only. The event loop takes these without coming
//! here for the rest.

use std::collections::HashSet;
use std::ops::ControlFlow::{Break, Continue};
use std::sync::Arc;

use stage_core::{Dispatcher, Gate, Info, Outcome, Peer, Reason, SubscribeError, SubscriptionId};

use super::flow::{Exit, Flow, boxed_cold};
use super::halves::{Consuming, Producing};
use super::role::Role;
use super::task::StageTask;
use super::user_stage::guard;
use crate::activity::Doing;
use crate::consumer_control::ConsumerControl;
use crate::control::Control;
use crate::link::{Ended, Notified};
use crate::mailbox::Mail;
use crate::producer_control::ProducerControl;
use crate::reply::{SubscribeReply, answer};
use crate::stage_id::StageId;
use crate::subscription::{Subscription, Terms};

/// Control requests, and as many messages, that are handled in a row before
/// events get their turn.
const MESSAGES_PER_TURN: usize = 64;

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    /// Handles notifications that are not of links only.
    pub(super) async fn on_notified(&mut self, notified: Notified) -> Flow {
        if notified.wake {
            // The last handler may have stopped the stage.
            self.end_if_stopped()?;
            self.producer.wake();
            self.call_handle_wake().await?;
        }
        if notified.messages {
            self.handle_messages().await
        } else {
            self.fetch();
            Continue(())
        }
    }

    /// Applies lifecycle requests, fetches from the links, then takes control
    /// requests and messages in turn.
    async fn handle_messages(&mut self) -> Flow {
        self.apply_requests().await?;
        self.fetch();
        self.call_handle_returned().await?;
        for _ in 0..MESSAGES_PER_TURN {
            let mut any = false;
            match self.control.next_control() {
                Some(Control::Consumer(control)) => {
                    any = true;
                    self.apply_consumer_control(control).await?;
                }
                Some(Control::Producer(control)) => {
                    any = true;
                    // A consumer that resubscribes has cancelled on its old link
                    // before it sent this request; the cancellation comes first.
                    self.fetch_late();
                    self.call_handle_returned().await?;
                    self.apply_producer_control(control).await?;
                }
                None => (),
            }
            if let Some(mail) = self.control.next_mail() {
                any = true;
                self.deliver(mail).await?;
            }
            if !any {
                return Continue(());
            }
        }
        self.shared.notifier.notify();
        Continue(())
    }

    /// Fetches from all links that have notified the stage.
    pub(super) fn fetch(&mut self) {
        self.fetch_producers();
        self.fetch_consumers();
    }

    /// Fetches events from the links to producers that have notified the stage.
    pub(super) fn fetch_producers(&mut self) {
        if std::mem::take(&mut self.notifications.from_only_producer) {
            self.consumer.fetch_only();
        }
        if let Some(pending) = &self.notifications.pending
            && !pending.from_producers.is_empty()
        {
            self.fetch_pending_producers();
        }
    }

    /// Fetches asks and cancellations from the links to consumers that have
    /// notified the stage.
    pub(super) fn fetch_consumers(&mut self) {
        if std::mem::take(&mut self.notifications.from_only_consumer) {
            self.producer.fetch_only();
        }
        if let Some(pending) = &self.notifications.pending
            && !pending.from_consumers.is_empty()
        {
            self.fetch_pending_consumers();
        }
    }

    // Out of line, as below: most stages have one link on a side.
    #[inline(never)]
    fn fetch_pending_producers(&mut self) {
        let pending = self.notifications.pending.iter_mut();
        for id in pending.flat_map(|pending| pending.from_producers.drain(..)) {
            self.consumer.fetch(id);
        }
    }

    #[inline(never)]
    fn fetch_pending_consumers(&mut self) {
        let pending = self.notifications.pending.iter_mut();
        for id in pending.flat_map(|pending| pending.from_consumers.drain(..)) {
            self.producer.fetch(id);
        }
    }

    /// Fetches also from links that have notified the stage since it last took
    /// the flags.
    pub(super) fn fetch_late(&mut self) {
        self.notifications.take_links();
        self.fetch();
    }

    /// Carries out requests to stop, complete, drain and restart.
    async fn apply_requests(&mut self) -> Flow {
        let Some(requests) = self.shared.lifecycle.take() else {
            return Continue(());
        };
        if let Some(reason) = requests.stop {
            return Break(Exit::Over(Outcome::Cancelled(reason)));
        }
        self.completing |= requests.complete;
        if let Some(stages) = requests.drain {
            boxed_cold(self.drain(stages)).await?;
        }
        match requests.restart {
            Some(reason) => Break(Exit::Restart(reason)),
            None => Continue(()),
        }
    }

    /// Begins to drain together with `stages`: cancels the subscriptions to all
    /// other producers, and lets the stage complete when the rest has ended.
    async fn drain(&mut self, stages: Arc<HashSet<StageId>>) -> Flow {
        // A stage that drains with others and is told to drain alone goes on as it was.
        if self.draining.is_some() && stages.len() == 1 {
            return Continue(());
        }
        tracing::debug!("draining");
        if R::CONSUMES {
            self.consumer.cancel_others(&stages);
        }
        // The request comes again, with more stages, when one joins a pipeline
        // that drains; `handle_drain` is called only for the first.
        let begins = self.draining.replace(stages).is_none();
        if begins && R::PRODUCES && !self.completing {
            self.begin_drain().await?;
        }
        // Events that wait behind a closed gate are delivered, too.
        self.producer.set_gate(Gate::Open);
        Continue(())
    }

    /// Calls `handle_drain` of a stage that emits, or of its new state after a
    /// restart.
    pub(super) async fn begin_drain(&mut self) -> Flow {
        let (stage, mut out) = self.handler.open(None);
        let result = guard(
            &self.shared,
            Doing::HandleDrain,
            R::handle_drain(stage, &mut out),
        )
        .await;
        self.finish_call(result)
    }

    /// Carries out a control request to the consumer half.
    async fn apply_consumer_control(&mut self, control: ConsumerControl<R::In>) -> Flow {
        match control {
            ConsumerControl::Subscribe {
                subscription,
                instead_of,
                reply,
            } => {
                boxed_cold(self.subscribe(subscription, instead_of, reply)).await?;
            }
            ConsumerControl::Cancel(id, reason) => self.consumer.cancel(id, reason, false),
            ConsumerControl::Ask(id, demand) => self.consumer.ask(id, demand),
        }
        Continue(())
    }

    /// Carries out a control request to the producer half. A refused subscriber
    /// gets the error over its link and, if it waits for one, as the reply.
    async fn apply_producer_control(&mut self, control: ProducerControl<R::Out, D::Route>) -> Flow {
        if self.producer.has_ended_links() {
            control.turn_away(&self.shared.name, Some(Outcome::Completed));
            return Continue(());
        }
        match control {
            ProducerControl::Subscribe {
                consumer,
                route,
                end,
                reply,
            } => {
                let id = consumer.subscription;
                match self.producer.subscribe(consumer.clone(), route, end) {
                    Err((error, end)) => {
                        tracing::debug!(consumer = %consumer.stage, %error, "subscription refused");
                        end.end(Ended::Refused(Box::new(error.clone())));
                        answer(reply, Err(error));
                    }
                    Ok(()) => {
                        tracing::debug!(consumer = %consumer.stage, %id, "subscribed");
                        let called = self.call_consumer_subscribed(&consumer).await;
                        // After the handler: whoever waits for the answer may rely on
                        // what the stage does for a new consumer.
                        answer(reply, Ok(id));
                        called?;
                    }
                }
            }
            ProducerControl::SetGate(gate) => self.producer.set_gate(gate),
            ProducerControl::Evict(id, reason) => self.producer.evict(id, reason),
            ProducerControl::EvictAfter(id, silence) => self.producer.evict_after(id, silence),
            ProducerControl::Reroute { id, route, reply } => {
                let rerouted = self.producer.reroute(id, route);
                answer(reply, rerouted.map(|()| id));
            }
        }
        Continue(())
    }

    /// Calls `handle_subscribe` for a consumer of this stage.
    pub(super) async fn call_consumer_subscribed(&mut self, consumer: &Peer) -> Flow {
        let (stage, mut out) = self.handler.open(Some(consumer.subscription));
        let result = guard(
            &self.shared,
            Doing::HandleSubscribe,
            R::consumer_subscribed(stage, consumer, &mut out),
        )
        .await;
        self.finish_call(result)
    }

    /// Delivers a message or an info. The reply to a call is sent after the events
    /// that its handler emitted have been dispatched.
    async fn deliver(&mut self, mail: Mail<R::Stage, R::Out>) -> Flow {
        match mail {
            Mail::Info(info) => self.accept_info(info),
            Mail::Message(message) => {
                let (stage, mut out) = self.handler.open(None);
                let handled = guard(
                    &self.shared,
                    Doing::HandleMessage,
                    message.deliver(stage, &mut out),
                )
                .await;
                if let Some(send_reply) = self.apply_effects(handled)? {
                    send_reply();
                }
                self.end_if_stopped()?;
            }
        }
        Continue(())
    }

    /// Queues an info behind the events that have arrived; without any, behind
    /// those in the producer's buffer.
    pub(super) fn accept_info(&mut self, info: Info) {
        if let Err(due) = self.consumer.queue_info(info) {
            self.producer.info(due);
        }
    }

    /// Subscribes the running stage to one more producer. Given `instead_of`, it
    /// cancels that subscription first.
    pub(super) async fn subscribe(
        &mut self,
        mut subscription: Subscription<R::In>,
        instead_of: Option<(SubscriptionId, Reason)>,
        mut reply: SubscribeReply,
    ) -> Flow {
        let terms = match self.terms_of(&subscription) {
            Ok(terms) => terms,
            Err(error) => {
                answer(reply, Err(error));
                return Continue(());
            }
        };
        if let Some((old, reason)) = instead_of {
            self.consumer.cancel(old, reason, true);
            let Err(next) = self.consumer.follow(old, (subscription, reply)) else {
                return Continue(());
            };
            (subscription, reply) = next;
        }
        let wired = subscription.wire_to(terms, &self.shared, reply);
        let producer = self.consumer.insert(wired);
        self.begin(&producer).await
    }

    /// Returns the checked terms of a subscription, or why the stage cannot make
    /// it: to itself, with wrong limits, or while the stage ends.
    fn terms_of(&self, subscription: &Subscription<R::In>) -> Result<Terms, SubscribeError> {
        let producer = subscription.producer_id();
        if producer == self.shared.id {
            return Err(SubscribeError::SelfSubscription {
                stage: Arc::clone(&self.shared.name),
            });
        }
        let comes_to_an_end = |draining: &Arc<HashSet<StageId>>| draining.contains(&producer);
        if self.completing || !self.draining.as_ref().is_none_or(comes_to_an_end) {
            return Err(SubscribeError::ConsumerEnding {
                consumer: Arc::clone(&self.shared.name),
            });
        }
        subscription.terms()
    }

    /// Calls `handle_subscribe` for `producer`, which has been sent the
    /// subscription, and starts to ask in the mode that it returned.
    pub(super) async fn begin(&mut self, producer: &Peer) -> Flow {
        let id = producer.subscription;
        let (stage, mut out) = self.handler.open(Some(id));
        let mode = guard(
            &self.shared,
            Doing::HandleSubscribe,
            R::producer_subscribed(stage, producer, &mut out),
        )
        .await;
        let mode = self.finish_call(mode)?;
        self.consumer.open(id, mode);
        Continue(())
    }
}
