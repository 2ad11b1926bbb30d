//! What others have left for a stage: asks, events, subscriptions, messages.

use std::collections::HashSet;
use std::ops::ControlFlow::{Break, Continue};
use std::sync::Arc;

use stage_core::{Dispatcher, Gate, Info, Outcome, Peer, Reason, SubscribeError, SubscriptionId};

use super::flow::{Exit, Flow, rarely};
use super::halves::{InletHalf, OutletHalf};
use super::handler::guard;
use super::role::Role;
use super::task::StageTask;
use crate::activity::Doing;
use crate::desk::Control;
use crate::link::{Ended, Heard};
use crate::mailbox::{InletControl, Mail};
use crate::outlet_control::OutletControl;
use crate::reply::{SubscribeReply, answer};
use crate::subscription::{Subscription, Terms};

/// Messages of each kind handled in a row before events get their turn.
const MESSAGES_PER_TURN: usize = 64;

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    /// Does what was rung for, if it is not only links that have news.
    pub(super) async fn attend(&mut self, heard: Heard) -> Flow {
        if heard.again {
            self.outlet.wake();
            if R::WAKES {
                self.be_woken().await?;
            }
        }
        if heard.messages {
            self.take_messages().await
        } else {
            self.fetch();
            Continue(())
        }
    }

    /// Takes in what others have left, orders and messages among it.
    async fn take_messages(&mut self) -> Flow {
        self.obey().await?;
        self.fetch();
        for _ in 0..MESSAGES_PER_TURN {
            let mut any = false;
            match self.desk.next_control() {
                Some(Control::Inlet(control)) => {
                    any = true;
                    self.obey_inlet(control).await?;
                }
                Some(Control::Outlet(control)) => {
                    any = true;
                    // A consumer that moves over has cancelled on its link
                    // before it subscribed here.
                    self.fetch_late();
                    self.obey_outlet(control).await?;
                }
                None => (),
            }
            if let Some(mail) = self.desk.next_mail() {
                any = true;
                self.open_mail(mail).await?;
            }
            if !any {
                return Continue(());
            }
        }
        self.identity.station.ring();
        Continue(())
    }

    /// Takes in what the links that had news bring.
    pub(super) fn fetch(&mut self) {
        self.fetch_inlets();
        self.fetch_outlet();
    }

    pub(super) fn fetch_inlets(&mut self) {
        if std::mem::take(&mut self.listener.from_lone_producer) {
            self.inlets.fetch_lone();
        }
        if let Some(listed) = &self.listener.listed
            && !listed.from_producers.is_empty()
        {
            self.fetch_listed_inlets();
        }
    }

    pub(super) fn fetch_outlet(&mut self) {
        if std::mem::take(&mut self.listener.from_lone_consumer) {
            self.outlet.fetch_lone();
        }
        if let Some(listed) = &self.listener.listed
            && !listed.from_consumers.is_empty()
        {
            self.fetch_listed_outlet();
        }
    }

    #[inline(never)]
    fn fetch_listed_inlets(&mut self) {
        let listed = self.listener.listed.iter_mut();
        for id in listed.flat_map(|listed| listed.from_producers.drain(..)) {
            self.inlets.fetch(id);
        }
    }

    #[inline(never)]
    fn fetch_listed_outlet(&mut self) {
        let listed = self.listener.listed.iter_mut();
        for id in listed.flat_map(|listed| listed.from_consumers.drain(..)) {
            self.outlet.fetch(id);
        }
    }

    /// The same for links that have had news since the stage listened.
    pub(super) fn fetch_late(&mut self) {
        self.listener.fetch();
        self.fetch();
    }

    /// Carries out what the stage was told to do with itself.
    async fn obey(&mut self) -> Flow {
        let Some(orders) = self.identity.orders.take() else {
            return Continue(());
        };
        if let Some(reason) = orders.stop {
            return Break(Exit::Over(Outcome::Cancelled(reason)));
        }
        if let Some(stages) = orders.drain {
            rarely(self.drain(stages)).await?;
        }
        match orders.restart {
            Some(reason) => Break(Exit::StartOver(reason)),
            None => Continue(()),
        }
    }

    /// Takes in nothing that does not come from one of `stages`, which drain as
    /// well, and completes when that has ended.
    async fn drain(&mut self, stages: Arc<HashSet<u64>>) -> Flow {
        tracing::debug!("draining");
        if R::CONSUMES {
            self.inlets.cancel_others(&stages);
        }
        // Of those that join meanwhile it is told again.
        let begins = self.draining.replace(stages).is_none();
        if begins && !R::CONSUMES && !self.completing {
            self.begin_drain().await?;
        }
        // What waits behind a gate is to be delivered as well.
        self.outlet.set_gate(Gate::Forward);
        Continue(())
    }

    /// Tells a source, or its new state, that it drains.
    pub(super) async fn begin_drain(&mut self) -> Flow {
        let (stage, mut out) = self.handler.open(None);
        let told = guard(
            &self.identity,
            Doing::HandleDrain,
            R::handle_drain(stage, &mut out),
        )
        .await;
        self.after(told)
    }

    async fn obey_inlet(&mut self, control: InletControl<R::In>) -> Flow {
        match control {
            InletControl::Subscribe {
                subscription,
                instead_of,
                reply,
            } => {
                rarely(self.subscribe(subscription, instead_of, reply)).await?;
            }
            InletControl::Cancel(id, reason) => self.inlets.cancel(id, reason, false),
            InletControl::Ask(id, demand) => self.inlets.ask(id, demand),
        }
        Continue(())
    }

    async fn obey_outlet(&mut self, control: OutletControl<R::Out, D::Route>) -> Flow {
        match control {
            OutletControl::Subscribe {
                consumer,
                route,
                end,
                reply,
            } => {
                let id = consumer.subscription;
                match self.outlet.subscribe(consumer.clone(), route, end) {
                    Err((error, end)) => {
                        tracing::debug!(consumer = %consumer.stage, %error, "subscription refused");
                        end.end(Ended::Refused(Box::new(error.clone())));
                        answer(reply, Err(error));
                    }
                    Ok(()) => {
                        tracing::debug!(consumer = %consumer.stage, %id, "subscribed");
                        answer(reply, Ok(id));
                        let (stage, mut out) = self.handler.open(Some(id));
                        let told = guard(
                            &self.identity,
                            Doing::HandleSubscribe,
                            R::consumer_subscribed(stage, &consumer, &mut out),
                        )
                        .await;
                        self.after(told)?;
                    }
                }
            }
            OutletControl::SetGate(gate) => self.outlet.set_gate(gate),
        }
        Continue(())
    }

    async fn open_mail(&mut self, mail: Mail<R::Stage, R::Out>) -> Flow {
        match mail {
            Mail::Info(info) => self.accept_info(info),
            Mail::Message(message) => {
                let (stage, mut out) = self.handler.open(None);
                let handled = guard(
                    &self.identity,
                    Doing::HandleMessage,
                    message.deliver(stage, &mut out),
                )
                .await;
                if let Some(send_reply) = self.after(handled)? {
                    send_reply();
                }
            }
        }
        Continue(())
    }

    /// Puts an info in its place: behind the input, then behind the buffer.
    pub(super) fn accept_info(&mut self, info: Info) {
        if let Err(due) = self.inlets.queue_info(info) {
            self.outlet.info(due);
        }
    }

    /// Subscribes the running stage to one more producer.
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
            self.inlets.cancel(old, reason, true);
            let Err(next) = self.inlets.follow(old, (subscription, reply)) else {
                return Continue(());
            };
            (subscription, reply) = next;
        }
        let wired = subscription.wire_to(terms, &self.identity, reply);
        let producer = self.inlets.insert(wired);
        self.begin(&producer).await
    }

    /// The terms of a subscription, if the stage may have it now.
    fn terms_of(&self, subscription: &Subscription<R::In>) -> Result<Terms, SubscribeError> {
        let producer = subscription.producer_id();
        if producer == self.identity.id {
            return Err(SubscribeError::Itself {
                stage: Arc::clone(&self.identity.name),
            });
        }
        let comes_to_an_end = |draining: &Arc<HashSet<u64>>| draining.contains(&producer);
        if self.completing || !self.draining.as_ref().is_none_or(comes_to_an_end) {
            return Err(SubscribeError::ConsumerEnding {
                consumer: Arc::clone(&self.identity.name),
            });
        }
        subscription.terms()
    }

    /// Begins to consume from a producer that has been told.
    pub(super) async fn begin(&mut self, producer: &Peer) -> Flow {
        let id = producer.subscription;
        let (stage, mut out) = self.handler.open(Some(id));
        let mode = guard(
            &self.identity,
            Doing::HandleSubscribe,
            R::producer_subscribed(stage, producer, &mut out),
        )
        .await;
        let mode = self.after(mode)?;
        self.inlets.open(id, mode);
        Continue(())
    }
}
