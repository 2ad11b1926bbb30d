//! The producer's half of the protocol: buffer first, then the remainder
//! becomes unmet demand, and nothing deliverable stays behind.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use crate::{
    Batch, Bottleneck, Buffer, Deliveries, Dispatcher, Overflow, SubscribeError, SubscriptionId,
    Supply,
};

/// Whether a producer answers demand or collects it.
///
/// A pipeline that is wired with its gate closed has every subscriber
/// in place before the first event moves.
///
/// Source: `GenStage.demand/2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Gate {
    /// Demand is answered as it comes. The default.
    #[default]
    Open,
    /// Demand is collected and no event leaves; what is emitted all the same
    /// is buffered.
    Closed,
}

/// Buffer, dispatcher and unmet demand of one producer, as a state machine.
///
/// Every method is one step: it takes an input and writes what follows from it
/// into an [`Outbox`], which the caller carries out. After each step the rule
/// of rest holds: no buffered event could be delivered to a subscriber that
/// has demand for it.
///
/// The framework owns unmet demand. A producer that emits less than it was
/// asked for need not remember the difference: [`next_demand`] names the total
/// again when there is new demand or after a [`wake`].
///
/// [`next_demand`]: ProducerSide::next_demand
/// [`wake`]: ProducerSide::wake
///
/// Source: the producer half of `GenStage`; the differences are listed in the
/// protocol chapter of the book.
#[derive(Debug)]
pub struct ProducerSide<D: Dispatcher, I> {
    dispatcher: D,
    buffer: Buffer<D::Event, I>,
    gate: Gate,
    /// What subscribers have asked for while the gate was closed. Their asks do
    /// not reach the dispatcher, which may hold events that they would release.
    collected: BTreeMap<SubscriptionId, usize>,
    /// Demand that the dispatcher returned while the gate was closed.
    returned: usize,
    unmet: usize,
    /// As much of it, at the most, was asked for by subscribers that left. Later
    /// asks are netted against it, and the producer is called all the same.
    abandoned: usize,
    due: bool,
    /// The producer was called with [`MOST_AT_ONCE`] though more is unmet.
    has_more: bool,
}

/// The most events that a producer is asked for in one call. A source without
/// an end that fills all the demand it is given would never return from one
/// that is without limit.
const MOST_AT_ONCE: usize = 10_000;

/// What follows from a step of a [`ProducerSide`]; the caller carries it out.
#[derive(Debug)]
pub struct Outbox<E, I> {
    /// What to send, and what the dispatcher discarded or rejected.
    pub deliveries: Deliveries<E>,
    /// The infos whose turn has come, in order.
    pub infos: Vec<I>,
    /// Events that a full buffer discarded.
    pub overflowed: usize,
}

impl<E, I> Outbox<E, I> {
    /// Nothing to do yet; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            deliveries: Deliveries::new(),
            infos: Vec::new(),
            overflowed: 0,
        }
    }

    /// Whether an event was discarded or rejected, so that there is something
    /// to count.
    #[must_use]
    #[inline]
    pub const fn has_losses(&self) -> bool {
        self.overflowed > 0 || self.deliveries.has_losses()
    }
}

impl<E, I> Default for Outbox<E, I> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D: Dispatcher, I> ProducerSide<D, I> {
    /// A producer with nothing buffered and nothing asked. `bound` is the most
    /// events it buffers, `None` for no bound.
    #[must_use]
    pub const fn new(dispatcher: D, bound: Option<usize>, overflow: Overflow, gate: Gate) -> Self {
        Self {
            dispatcher,
            buffer: Buffer::new(bound, overflow),
            gate,
            collected: BTreeMap::new(),
            returned: 0,
            unmet: 0,
            abandoned: 0,
            due: false,
            has_more: false,
        }
    }

    /// Events in the buffer.
    #[must_use]
    pub const fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Events asked for and not emitted yet.
    #[must_use]
    pub const fn unmet(&self) -> usize {
        self.unmet
    }

    /// Events that the dispatcher keeps inside.
    #[must_use]
    pub fn held(&self) -> usize {
        self.dispatcher.held()
    }

    /// What holds the dispatcher up, if something does.
    #[must_use]
    pub fn bottleneck(&self) -> Option<Bottleneck> {
        self.dispatcher.bottleneck()
    }

    /// Whether the gate is open or closed.
    #[must_use]
    pub const fn gate(&self) -> Gate {
        self.gate
    }

    /// The dispatcher, to look at.
    #[must_use]
    pub const fn dispatcher(&self) -> &D {
        &self.dispatcher
    }

    /// Whether everything emitted has been delivered, so that a source that
    /// has ended may complete.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.buffer.is_empty() && self.dispatcher.held() == 0
    }

    /// Adds a subscriber.
    ///
    /// # Errors
    ///
    /// What the dispatcher says; nothing has changed then.
    pub fn subscribe(
        &mut self,
        id: SubscriptionId,
        route: D::Route,
        out: &mut Outbox<D::Event, I>,
    ) -> Result<(), SubscribeError> {
        let demand = self.dispatcher.subscribe(id, route)?;
        self.serve_until_rest(demand, out);
        Ok(())
    }

    /// Delivers nothing more to a subscriber. What it was delivered before it may
    /// still handle; [`take_back`](ProducerSide::take_back) says when it is done.
    pub fn cancel(&mut self, id: SubscriptionId, out: &mut Outbox<D::Event, I>) {
        self.collected.remove(&id);
        let demand = self.dispatcher.cancel(id, &mut out.deliveries);
        self.abandoned = self.unmet;
        self.serve_until_rest(demand, out);
    }

    /// A cancelled subscriber is done with all that it was delivered.
    /// `unhandled` is what it has not handled, oldest first: it goes in front of
    /// the buffer, unless the dispatcher has delivered it to others as well.
    pub fn take_back(
        &mut self,
        id: SubscriptionId,
        unhandled: Vec<Batch<D::Event>>,
        out: &mut Outbox<D::Event, I>,
    ) {
        let demand = self
            .dispatcher
            .take_back(id, unhandled, &mut out.deliveries);
        self.serve_until_rest(demand, out);
    }

    /// A subscriber is ready for `demand` more events.
    #[inline]
    pub fn ask(&mut self, id: SubscriptionId, demand: NonZeroUsize, out: &mut Outbox<D::Event, I>) {
        if self.gate == Gate::Closed {
            let collected = self.collected.entry(id).or_default();
            *collected = collected.saturating_add(demand.get());
            return;
        }
        let new = self.dispatcher.ask(id, demand, &mut out.deliveries);
        if self.abandoned > 0 {
            self.replace_abandoned(demand.get() - new.min(demand.get()));
        }
        self.serve_until_rest(new, out);
    }

    /// `netted` events that a subscriber has asked for take the place of as many
    /// that one which left had asked for. The producer had nothing for that one;
    /// it may have something now.
    #[cold]
    fn replace_abandoned(&mut self, netted: usize) {
        self.abandoned = self.abandoned.min(self.unmet);
        self.due |= self.abandoned > 0 && netted > 0;
        self.abandoned = self.abandoned.saturating_sub(netted);
    }

    /// The producer emitted `events`, whether or not they were asked for.
    #[inline]
    pub fn emit(&mut self, events: Vec<D::Event>, out: &mut Outbox<D::Event, I>) {
        self.unmet = self.unmet.saturating_sub(events.len());
        if self.has_more && events.len() >= MOST_AT_ONCE {
            self.due = true;
        }
        // Behind buffered events the new ones have to queue, or they would
        // overtake.
        if self.gate == Gate::Open && self.buffer.is_empty() {
            let events = Batch::from(events);
            let rest = self.dispatcher.dispatch(events, &mut out.deliveries);
            if !rest.is_empty() {
                self.store(rest, out);
            }
        } else {
            self.store(Batch::from(events), out);
        }
        self.serve_until_rest(0, out);
    }

    /// Not inlined: the room it needs would be made for every step.
    #[inline(never)]
    fn store(&mut self, events: Batch<D::Event>, out: &mut Outbox<D::Event, I>) {
        let stored = self.buffer.store(events);
        out.overflowed = out.overflowed.saturating_add(stored.discarded);
        out.infos.extend(stored.infos);
    }

    /// Sends `info` through the buffer: it is due when the events that are in
    /// the buffer now have left it.
    pub fn info(&mut self, info: I, out: &mut Outbox<D::Event, I>) {
        if let Err(due) = self.buffer.store_info(info) {
            out.infos.push(due);
        }
    }

    /// Opens or closes the gate; opening it releases what was collected.
    pub fn set_gate(&mut self, gate: Gate, out: &mut Outbox<D::Event, I>) {
        self.gate = gate;
        if gate == Gate::Open {
            self.due = true;
            // Demand that was returned meanwhile is for what was handed back, and
            // served from the buffer below. The rest of the buffer may answer demand
            // from before the gate was closed.
            let returned = std::mem::take(&mut self.returned);
            self.offer(self.buffer.len().saturating_sub(returned), out);
            self.serve_until_rest(returned, out);
            for (id, demand) in std::mem::take(&mut self.collected) {
                if let Some(demand) = NonZeroUsize::new(demand) {
                    self.ask(id, demand, out);
                }
            }
        }
    }

    /// The producer may have events now: the next [`next_demand`] names what
    /// is still unmet.
    ///
    /// [`next_demand`]: ProducerSide::next_demand
    pub const fn wake(&mut self) {
        self.due = true;
    }

    /// Whether [`next_demand`](ProducerSide::next_demand) has something to name.
    #[must_use]
    pub const fn has_due_demand(&self) -> bool {
        self.due && self.unmet > 0 && matches!(self.gate, Gate::Open)
    }

    /// The demand to call the producer's handler with, if there is any that it
    /// has not been called with since it was last told: all that is unmet, but at
    /// most 10,000 events. A producer that emits as many is called with the next
    /// ones.
    pub const fn next_demand(&mut self) -> Option<NonZeroUsize> {
        if !self.has_due_demand() {
            return None;
        }
        self.due = false;
        self.has_more = self.unmet > MOST_AT_ONCE;
        NonZeroUsize::new(if self.has_more {
            MOST_AT_ONCE
        } else {
            self.unmet
        })
    }

    /// Serves `demand` for upstream and whatever else could move, until the
    /// rule of rest holds.
    #[inline]
    fn serve_until_rest(&mut self, demand: usize, out: &mut Outbox<D::Event, I>) {
        let nothing_moves = self.buffer.is_empty()
            && self.buffer.infos() == 0
            && self.gate == Gate::Open
            && out.deliveries.handed_back.is_empty();
        if !nothing_moves {
            return self.serve_buffer_until_rest(demand, out);
        }
        // The same with nothing to offer, which is the rule: who keeps up
        // buffers nothing.
        self.owe(demand);
        let more = out.deliveries.take_requested();
        let more = more.saturating_add(self.dispatcher.at_rest(Supply::new(0, self.unmet)));
        self.owe(more);
    }

    #[inline(never)]
    fn serve_buffer_until_rest(&mut self, demand: usize, out: &mut Outbox<D::Event, I>) {
        let returned_events = if out.deliveries.handed_back.is_empty() {
            0
        } else {
            self.buffer_handed_back(out)
        };
        if self.gate == Gate::Closed {
            let requested = out.deliveries.take_requested();
            self.returned = self
                .returned
                .saturating_add(demand)
                .saturating_add(requested);
            return;
        }
        // Whoever has demand for these has asked already. Demand returned with
        // them is for them as well, and served from the buffer below.
        self.offer(returned_events.saturating_sub(demand), out);
        self.serve(demand, out);
        loop {
            let more = out.deliveries.take_requested().saturating_add(
                self.dispatcher
                    .at_rest(Supply::new(self.buffer.len(), self.unmet)),
            );
            let before = self.buffer.len();
            self.serve(more, out);
            // A pass that took nothing from the buffer ends the loop, however
            // much a dispatcher goes on wanting.
            if self.buffer.len() == before {
                break;
            }
        }
        if self.buffer.is_empty() {
            self.buffer.release_infos(&mut out.infos);
        }
    }

    /// Puts what the dispatcher handed back into the buffer; returns how many
    /// events that were.
    #[inline(never)]
    fn buffer_handed_back(&mut self, out: &mut Outbox<D::Event, I>) -> usize {
        let returned = std::mem::take(&mut out.deliveries.handed_back);
        let events = returned.iter().map(Batch::len).sum();
        self.buffer.hand_back(returned);
        events
    }

    /// Buffer first; only the remainder becomes unmet demand.
    fn serve(&mut self, demand: usize, out: &mut Outbox<D::Event, I>) {
        let remainder = self.offer(demand, out);
        self.owe(remainder);
    }

    /// Dispatches up to `count` events from the front of the buffer; returns
    /// how many there were not.
    fn offer(&mut self, mut count: usize, out: &mut Outbox<D::Event, I>) -> usize {
        while let Some(taken) = self.buffer.take(count) {
            count = taken.remaining;
            let mut undelivered = Vec::new();
            for batch in taken.batches {
                let rest = if undelivered.is_empty() {
                    self.dispatcher.dispatch(batch, &mut out.deliveries)
                } else {
                    batch
                };
                if !rest.is_empty() {
                    undelivered.push(rest);
                }
            }
            if !undelivered.is_empty() {
                self.buffer.restore(undelivered, taken.infos);
                break;
            }
            out.infos.extend(taken.infos);
        }
        count
    }

    const fn owe(&mut self, demand: usize) {
        if demand > 0 {
            self.unmet = self.unmet.saturating_add(demand);
            self.due = true;
        }
    }
}
