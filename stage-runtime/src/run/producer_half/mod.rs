//! A stage's half as a producer: its dispatcher and the links to its
//! consumers.

mod end;

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use stage_core::{
    Batch, Bottleneck, Dispatcher, Failure, Gate, Info, Outbox, Outcome, Overflow, Peer,
    ProducerSide, SubscribeError, SubscriptionId,
};

use crate::dead_letter::{DeadLetter, Hook};
use crate::link::links::Links;
use crate::link::{ConsumerSignal, Ended, ProducerEnd};
use crate::shared::StageShared;

/// How a producer is built.
pub(crate) struct ProducerOptions<D: Dispatcher> {
    pub(crate) dispatcher: D,
    pub(crate) buffer_size: Option<usize>,
    pub(crate) on_overflow: Overflow,
    pub(crate) gate: Gate,
    /// Called with events that the dispatcher could send nowhere.
    pub(crate) rejected: Option<Hook<D::Event>>,
}

impl<D: Dispatcher> ProducerOptions<D> {
    pub(crate) fn new(dispatcher: D, buffer_size: Option<usize>) -> Self {
        Self {
            dispatcher,
            buffer_size,
            on_overflow: Overflow::default(),
            gate: Gate::default(),
            rejected: None,
        }
    }

    /// The same with another dispatcher.
    pub(crate) fn with_dispatcher<D2>(self, dispatcher: D2) -> ProducerOptions<D2>
    where
        D2: Dispatcher<Event = D::Event>,
    {
        ProducerOptions {
            dispatcher,
            buffer_size: self.buffer_size,
            on_overflow: self.on_overflow,
            gate: self.gate,
            rejected: self.rejected,
        }
    }
}

impl<D: Dispatcher> fmt::Debug for ProducerOptions<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducerOptions")
            .field("buffer_size", &self.buffer_size)
            .field("on_overflow", &self.on_overflow)
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

pub(crate) struct ProducerHalf<D: Dispatcher> {
    shared: Arc<StageShared>,
    side: ProducerSide<D, Info>,
    outbox: Outbox<D::Event, Info>,
    links: Links<Subscriber<D::Event>>,
    /// The most that was ever emitted at once: what the next buffer should have
    /// room for.
    emitted: usize,
    /// What the stage has to be told of, if there is anything.
    pending_callbacks: Option<Box<PendingCallbacks>>,
    rejected: Option<Hook<D::Event>>,
    /// Links that may have something in flight, while the stage waits for the
    /// last of it.
    in_flight: Option<Vec<SubscriptionId>>,
    /// The bottleneck that others see.
    stuck: bool,
    ended: bool,
}

/// A dispatcher of the user's may make an id up.
const STRAY: &str = "the dispatcher delivered to nobody it knows";
#[derive(Default)]
struct PendingCallbacks {
    /// Subscribers that cancelled.
    cancelled: VecDeque<(Peer, Outcome)>,
    /// Infos whose turn has come.
    infos: VecDeque<Info>,
}

struct Subscriber<E> {
    peer: Peer,
    end: ProducerEnd<E>,
    /// It has cancelled: it is sent nothing more.
    leaving: bool,
}

impl<D: Dispatcher> ProducerHalf<D> {
    pub(crate) fn new(shared: Arc<StageShared>, options: ProducerOptions<D>) -> Self {
        let ProducerOptions {
            dispatcher,
            buffer_size,
            on_overflow,
            gate,
            rejected,
        } = options;
        shared
            .gate_closed
            .store(gate == Gate::Closed, Ordering::Relaxed);
        Self {
            shared,
            side: ProducerSide::new(dispatcher, buffer_size, on_overflow, gate),
            outbox: Outbox::new(),
            links: Links::default(),
            emitted: 0,
            pending_callbacks: None,
            rejected,
            in_flight: None,
            stuck: false,
            ended: false,
        }
    }

    /// Whether consumers have asked for events that were not emitted yet.
    pub(crate) fn has_unmet_demand(&self) -> bool {
        self.side.unmet() > 0 && self.side.gate() == Gate::Open
    }

    /// Whether everything emitted has been sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.side.is_drained()
    }

    /// Whether everything emitted has been sent, and everything sent has been
    /// dealt with: a consumer that fails now has nothing left to hand back.
    pub(crate) fn is_drained(&mut self) -> bool {
        if !self.is_empty() {
            return false;
        }
        let links = &self.links;
        let in_flight = self
            .in_flight
            .get_or_insert_with(|| links.iter().map(|(id, _)| id).collect());
        // The last one that is not settled has the stage woken when it is.
        while let Some(id) = in_flight.last() {
            if links.get(*id).is_some_and(|link| !link.end.flush()) {
                return false;
            }
            in_flight.pop();
        }
        true
    }

    /// Whether there is nobody to send to.
    pub(crate) fn is_deserted(&self) -> bool {
        self.links.is_empty()
    }

    /// The consumers, in the order in which they subscribed.
    pub(crate) fn consumers(&self) -> Vec<Peer> {
        let mut consumers: Vec<_> = self
            .links
            .iter()
            .map(|(_, link)| link.peer.clone())
            .collect();
        consumers.sort_unstable_by_key(|consumer| consumer.subscription);
        consumers
    }

    /// Shows others what the stage waits for. Returns the consumer without whom
    /// nothing can be sent, if there is such a one.
    pub(crate) fn publish_state(&mut self) -> Option<SubscriptionId> {
        self.shared.counters.unmet.set(self.side.unmet());
        let bottleneck = self.side.bottleneck();
        let awaited = bottleneck.as_ref().and_then(Bottleneck::awaited);
        let stuck = bottleneck.is_some();
        if stuck || self.stuck {
            self.shared.set_bottleneck(bottleneck);
        }
        self.stuck = stuck;
        awaited
    }

    /// Whether the handler is to be called with demand.
    pub(crate) fn has_due_demand(&self) -> bool {
        self.side.has_due_demand()
    }

    /// Demand the handler is to be called with now.
    pub(crate) fn next_demand(&mut self) -> Option<NonZeroUsize> {
        self.side.next_demand()
    }

    /// The producer may have events for demand that is still unmet.
    pub(crate) fn wake(&mut self) {
        self.side.wake();
    }

    /// Dispatches what a handler emitted, and leaves it an empty buffer to fill.
    #[inline(never)]
    pub(crate) fn emit(&mut self, emitted: &mut Vec<D::Event>) {
        self.emitted = self.emitted.max(emitted.len());
        let counters = &self.shared.counters;
        counters.events_out.add(emitted.len());
        counters.batches_out.add(1);
        let spare = self.outbox.deliveries.spare(self.emitted);
        let events = std::mem::replace(emitted, spare);
        self.side.emit(events, &mut self.outbox);
        self.apply_outbox();
    }

    /// Sends an info through the buffer.
    pub(crate) fn info(&mut self, info: Info) {
        self.side.info(info, &mut self.outbox);
    }

    pub(crate) fn set_gate(&mut self, gate: Gate) {
        self.shared
            .gate_closed
            .store(gate == Gate::Closed, Ordering::Relaxed);
        self.side.set_gate(gate, &mut self.outbox);
        self.apply_outbox();
    }

    /// Adds a subscriber.
    pub(crate) fn subscribe(
        &mut self,
        peer: Peer,
        route: D::Route,
        mut end: ProducerEnd<D::Event>,
    ) -> Result<(), (SubscribeError, ProducerEnd<D::Event>)>
    where
        D::Event: Send + 'static,
    {
        let id = peer.subscription;
        if let Err(error) = self.side.subscribe(id, route, &mut self.outbox) {
            return Err((error, end));
        }
        end.accept();
        self.shared.consumer_links.insert(end.view());
        let limit = peer.demand.batch_limit();
        self.outbox.deliveries.raise_batch_limit(limit);
        let subscriber = Subscriber {
            peer,
            end,
            leaving: false,
        };
        self.links.insert(id, subscriber, |subscriber, only| {
            subscriber.end.set_only(only);
        });
        self.in_flight = None;
        self.apply_outbox();
        // The consumer may have asked before the subscription arrived here.
        self.fetch(id);
        Ok(())
    }

    /// Whether there is something to tell the stage.
    pub(crate) fn has_pending_callbacks(&self) -> bool {
        self.pending_callbacks.is_some() || !self.outbox.infos.is_empty()
    }

    /// A subscriber that cancelled, whom the stage has to be told of.
    pub(crate) fn next_cancelled(&mut self) -> Option<(Peer, Outcome)> {
        self.pending_callbacks.as_mut()?.cancelled.pop_front()
    }

    /// An info whose turn has come.
    pub(crate) fn next_info(&mut self) -> Option<Info> {
        if !self.outbox.infos.is_empty() {
            let pending_callbacks = self.pending_callbacks.get_or_insert_default();
            pending_callbacks.infos.extend(self.outbox.infos.drain(..));
        }
        let pending_callbacks = self.pending_callbacks.as_mut()?;
        let info = pending_callbacks.infos.pop_front();
        if info.is_none() && pending_callbacks.cancelled.is_empty() {
            self.pending_callbacks = None;
        }
        info
    }

    /// Fetches from the link that is not listed.
    pub(crate) fn fetch_only(&mut self) {
        if let Some(id) = self.links.only() {
            self.fetch(id);
        }
    }

    /// Takes in what a consumer has asked, or that it cancelled.
    pub(crate) fn fetch(&mut self, id: SubscriptionId) {
        // News of a link that has not arrived yet, or is gone already.
        let Some(subscriber) = self.links.get(id) else {
            return;
        };
        let deliveries = &mut self.outbox.deliveries;
        match subscriber.end.fetch(|spare| deliveries.recycle(spare)) {
            ConsumerSignal::Demand(demand) => {
                if let Some(demand) = NonZeroUsize::new(demand) {
                    self.side.ask(id, demand, &mut self.outbox);
                    self.apply_outbox();
                }
            }
            ConsumerSignal::Leaving => self.cancel(id),
            ConsumerSignal::Left(outcome) => {
                self.cancel(id);
                self.remove(id, outcome);
            }
        }
    }

    /// Sends nothing more to a consumer that has cancelled.
    fn cancel(&mut self, id: SubscriptionId) {
        if let Some(subscriber) = self.links.get_mut(id)
            && !std::mem::replace(&mut subscriber.leaving, true)
        {
            self.side.cancel(id, &mut self.outbox);
            self.apply_outbox();
        }
    }

    /// Ends the subscription of a consumer that has cancelled and has nothing
    /// any more of what it was sent.
    fn remove(&mut self, id: SubscriptionId, outcome: Outcome) {
        if let Some(Subscriber { peer, end, .. }) = self.links.remove(id) {
            let unhandled = end.take_unhandled();
            let count = unhandled.iter().map(Batch::len).sum();
            self.shared.counters.handed_back.add(count);
            end.end(Ended::Outcome(outcome.clone()));
            let pending_callbacks = self.pending_callbacks.get_or_insert_default();
            pending_callbacks.cancelled.push_back((peer, outcome));
            self.side.take_back(id, unhandled, &mut self.outbox);
            self.apply_outbox();
        }
    }

    /// Does what the protocol has said to do.
    #[inline(always)]
    fn apply_outbox(&mut self) {
        if self.outbox.deliveries.has_sends() {
            self.send();
        }
        if self.outbox.has_losses() {
            self.count_losses();
        }
        let waiting = self.side.buffered() + self.side.held();
        self.shared.counters.buffered.set(waiting);
    }

    /// Sends what is to be sent.
    #[inline(always)]
    fn send(&mut self) {
        let (mut sent, mut strays) = (0, 0);
        let links = &self.links;
        self.outbox.deliveries.send_all(|id, batch| {
            let Some(subscriber) = links.get(id) else {
                strays += batch.len();
                return None;
            };
            sent += batch.len();
            subscriber.end.send(batch)
        });
        self.shared.counters.delivered.add(sent);
        if sent > 0 {
            self.in_flight = None;
        }
        self.discard(strays, STRAY);
    }

    /// Counts what the protocol could not send, and says so.
    fn count_losses(&mut self) {
        for rejected in self.outbox.deliveries.take_rejected() {
            self.shared.counters.rejected.add(1);
            tracing::warn!(error = %rejected.error, "event rejected");
            if let Some(hook) = &mut self.rejected {
                let stage = Arc::clone(&self.shared.name);
                let letter = DeadLetter {
                    failure: Failure::error(Arc::clone(&stage), rejected.error),
                    stage,
                    events: vec![rejected.event],
                    lost: 0,
                };
                letter.give_to(hook);
            }
        }
        // Dropped by the user's own rule: counted, but nothing to warn of.
        let dropped = self.outbox.deliveries.take_discarded();
        self.shared.counters.discarded.add(dropped);
        let overflowed = std::mem::take(&mut self.outbox.overflowed);
        self.discard(overflowed, "the buffer is full");
    }

    #[inline]
    fn discard(&self, count: usize, why: &'static str) {
        if count > 0 {
            self.count_discarded(count, why);
        }
    }

    #[cold]
    fn count_discarded(&self, count: usize, why: &'static str) {
        self.shared.counters.discarded.add(count);
        tracing::warn!(count, why, "events discarded");
    }
}
