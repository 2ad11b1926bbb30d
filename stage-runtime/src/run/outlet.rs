//! A stage's half as a producer: its dispatcher and the links to its
//! consumers.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use foldhash::fast::RandomState;
use stage_core::{
    Batch, Dispatcher, Gate, Info, Keep, Outbox, Outcome, Peer, ProducerSide, SubscribeError,
    SubscriptionId,
};

use crate::identity::Identity;
use crate::link::{Ended, ProducerEnd, Raised};

/// Emptied buffers kept for the next batches to be emitted.
const SPARES: usize = 4;

/// How a producer is built.
pub(crate) struct OutletOptions<D> {
    pub(crate) dispatcher: D,
    pub(crate) buffer_size: Option<usize>,
    pub(crate) buffer_keep: Keep,
    pub(crate) gate: Gate,
}

impl<D> OutletOptions<D> {
    pub(crate) fn new(dispatcher: D, buffer_size: Option<usize>) -> Self {
        Self {
            dispatcher,
            buffer_size,
            buffer_keep: Keep::default(),
            gate: Gate::default(),
        }
    }

    /// The same with another dispatcher.
    pub(crate) fn with_dispatcher<D2>(self, dispatcher: D2) -> OutletOptions<D2> {
        OutletOptions {
            dispatcher,
            buffer_size: self.buffer_size,
            buffer_keep: self.buffer_keep,
            gate: self.gate,
        }
    }
}

impl<D> fmt::Debug for OutletOptions<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutletOptions")
            .field("buffer_size", &self.buffer_size)
            .field("buffer_keep", &self.buffer_keep)
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

pub(crate) struct Outlet<D: Dispatcher> {
    identity: Arc<Identity>,
    side: ProducerSide<D, Info>,
    outbox: Outbox<D::Event, Info>,
    links: HashMap<SubscriptionId, Subscriber<D::Event>, RandomState>,
    spares: Vec<Vec<D::Event>>,
    /// Subscribers that cancelled, whom the stage has to be told of.
    cancelled: VecDeque<(Peer, Outcome)>,
}

struct Subscriber<E> {
    peer: Peer,
    end: ProducerEnd<E>,
}

impl<D: Dispatcher> Outlet<D> {
    pub(crate) fn new(identity: Arc<Identity>, options: OutletOptions<D>) -> Self {
        let OutletOptions {
            dispatcher,
            buffer_size,
            buffer_keep,
            gate,
        } = options;
        Self {
            identity,
            side: ProducerSide::new(dispatcher, buffer_size, buffer_keep, gate),
            outbox: Outbox::new(),
            links: HashMap::default(),
            spares: Vec::new(),
            cancelled: VecDeque::new(),
        }
    }

    /// Whether consumers have asked for events that were not emitted yet.
    pub(crate) fn has_unmet_demand(&self) -> bool {
        self.side.unmet() > 0 && self.side.gate() == Gate::Forward
    }

    /// Whether everything emitted has been sent.
    pub(crate) fn is_drained(&self) -> bool {
        self.side.is_drained()
    }

    /// Demand the handler is to be called with now.
    pub(crate) fn next_demand(&mut self) -> Option<NonZeroUsize> {
        self.side.next_demand()
    }

    /// The producer may have events for demand that is still unmet.
    pub(crate) fn wake(&mut self) {
        self.side.wake();
    }

    /// An empty buffer for a handler to fill.
    pub(crate) fn spare(&mut self) -> Vec<D::Event> {
        self.spares.pop().unwrap_or_default()
    }

    /// Dispatches what a handler emitted.
    pub(crate) fn emit(&mut self, events: Vec<D::Event>) {
        let counters = &self.identity.counters;
        counters.events_out.add(events.len());
        counters.batches_out.add(1);
        self.side.emit(Batch::from(events), &mut self.outbox);
        self.carry_out();
    }

    /// Sends an info through the buffer.
    pub(crate) fn info(&mut self, info: Info) {
        self.side.info(info, &mut self.outbox);
    }

    pub(crate) fn set_gate(&mut self, gate: Gate) {
        self.side.set_gate(gate, &mut self.outbox);
        self.carry_out();
    }

    /// Adds a subscriber.
    pub(crate) fn subscribe(
        &mut self,
        peer: Peer,
        route: D::Route,
        mut end: ProducerEnd<D::Event>,
    ) -> Result<(), (SubscribeError, ProducerEnd<D::Event>)> {
        let id = peer.subscription;
        if let Err(error) = self.side.subscribe(id, route, &mut self.outbox) {
            return Err((error, end));
        }
        end.accept();
        self.links.insert(id, Subscriber { peer, end });
        self.carry_out();
        // The consumer may have asked before the subscription arrived here.
        self.fetch(id);
        Ok(())
    }

    /// Takes in what consumers have asked and cancelled.
    pub(crate) fn fetch_all(&mut self) {
        while let Some(id) = self.identity.station.next_consumer_news() {
            self.fetch(id);
        }
    }

    /// A subscriber that cancelled, whom the stage has to be told of.
    pub(crate) fn next_cancelled(&mut self) -> Option<(Peer, Outcome)> {
        self.cancelled.pop_front()
    }

    /// Infos whose turn has come.
    pub(crate) fn take_infos(&mut self) -> Vec<Info> {
        std::mem::take(&mut self.outbox.infos)
    }

    /// Ends all subscriptions with the stage's outcome.
    pub(crate) fn end(&mut self, outcome: &Outcome) {
        // What consumers have just given back is lost with the buffer.
        self.fetch_all();
        self.discard(
            self.side.buffered() + self.side.held(),
            "the stage ended with events nobody had asked for",
        );
        self.identity.counters.buffered.set(0);
        let lost = self
            .links
            .drain()
            .map(|(_, subscriber)| subscriber.end.end(Ended::Outcome(outcome.clone())))
            .sum();
        self.discard(lost, "a consumer and its producer ended at once");
    }

    fn fetch(&mut self, id: SubscriptionId) {
        // News of a link that has not arrived yet, or is gone already.
        let Some(subscriber) = self.links.get(&id) else {
            return;
        };
        let Raised {
            demand,
            cancelled,
            spares,
        } = subscriber.end.fetch();
        let room = SPARES.saturating_sub(self.spares.len());
        self.spares.extend(spares.into_iter().take(room));
        if let Some(outcome) = cancelled {
            self.cancel(id, outcome);
        } else if let Some(demand) = NonZeroUsize::new(demand) {
            self.side.ask(id, demand, &mut self.outbox);
            self.carry_out();
        }
    }

    fn cancel(&mut self, id: SubscriptionId, outcome: Outcome) {
        if let Some(Subscriber { peer, end }) = self.links.remove(&id) {
            let unhandled = end.take_unhandled();
            let count = unhandled.iter().map(Batch::len).sum();
            self.identity.counters.handed_back.add(count);
            end.end(Ended::Outcome(outcome.clone()));
            self.cancelled.push_back((peer, outcome));
            self.side.cancel(id, unhandled, &mut self.outbox);
            self.carry_out();
        }
    }

    /// Does what the protocol has said to do.
    fn carry_out(&mut self) {
        let mut strays = 0;
        for (id, batch) in self.outbox.deliveries.take_sends() {
            // A dispatcher of the user's may make an id up.
            let Some(subscriber) = self.links.get(&id) else {
                strays += batch.len();
                continue;
            };
            self.identity.counters.delivered.add(batch.len());
            subscriber.end.send(batch);
        }
        self.discard(strays, "the dispatcher delivered to nobody it knows");
        for rejected in self.outbox.deliveries.take_rejected() {
            self.identity.counters.rejected.add(1);
            tracing::warn!(error = %rejected.error, "event rejected");
        }
        // Dropped by the user's own rule: counted, but nothing to warn of.
        let dropped = self.outbox.deliveries.take_discarded();
        self.identity.counters.discarded.add(dropped);
        let overflowed = std::mem::take(&mut self.outbox.overflowed);
        self.discard(overflowed, "the buffer is full");
        self.identity
            .counters
            .buffered
            .set(self.side.buffered() + self.side.held());
    }

    fn discard(&self, count: usize, why: &'static str) {
        if count > 0 {
            self.identity.counters.discarded.add(count);
            tracing::warn!(count, why, "events discarded");
        }
    }
}
