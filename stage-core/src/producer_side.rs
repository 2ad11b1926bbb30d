//! [`ProducerSide`]: the producer's half of the protocol, as a state machine.
//! Demand is served from the buffer first; the remainder becomes unmet demand.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use crate::{
    Batch, Bottleneck, Bound, Budget, Buffer, Deliveries, Dispatcher, Overflow, SubscribeError,
    SubscriptionId, Supply,
};

/// The gate of a producer: whether it answers demand or collects it.
///
/// A pipeline whose gate is closed during wiring has every subscriber in place
/// before the first event moves.
///
/// Source: `GenStage.demand/2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Gate {
    /// Demand is answered when it arrives. The default.
    #[default]
    Open,
    /// Demand is collected and no event leaves. Events emitted nevertheless are
    /// buffered.
    Closed,
}

/// The buffer, dispatcher and unmet demand of a producer, as a state machine.
///
/// Every method is one step: it takes an input and writes the resulting actions
/// into an [`Outbox`], which the caller carries out. After each step the rule
/// of rest holds: the buffer contains no event that could be delivered to a
/// subscriber with demand for it.
///
/// The producer side tracks unmet demand. A producer that emits less than it
/// was asked for need not remember the difference: [`next_demand`] returns the
/// total again when there is new demand or after a [`wake`].
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
    /// Demand that subscribers sent while the gate was closed. It is kept from
    /// the dispatcher, which may hold events that an ask would release.
    collected: BTreeMap<SubscriptionId, usize>,
    /// Demand that the dispatcher returned while the gate was closed.
    returned: usize,
    unmet: usize,
    /// The upper bound of the part of `unmet` that departed subscribers asked
    /// for. Later asks are netted against it, and the producer is called
    /// nevertheless.
    abandoned: usize,
    due: bool,
    /// The producer was called with [`MOST_AT_ONCE`] although more demand was
    /// unmet.
    has_more: bool,
}

/// The maximum demand in one call of the producer. Without it, an infinite
/// source that meets all demand might never return from a call.
const MOST_AT_ONCE: usize = 10_000;

/// The actions resulting from a step of a [`ProducerSide`]; the caller carries
/// them out.
#[derive(Debug)]
pub struct Outbox<E, I> {
    /// The events to send, discard or reject.
    pub deliveries: Deliveries<E>,
    /// The infos that are due, in order.
    pub infos: Vec<I>,
    /// The number of events that a full buffer discarded.
    pub overflowed: usize,
}

/// Events that a consumer was sent and did not handle; returned by
/// [`ProducerSide::take_returned`].
#[derive(Debug)]
#[must_use = "the events are in no buffer"]
pub struct Returned<E> {
    /// The events, oldest first.
    pub events: Batch<E>,
    /// The demand that is free again with the consumer's end, in events.
    demand: usize,
}

impl<E, I> Outbox<E, I> {
    /// Returns an empty outbox; does not allocate.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            deliveries: Deliveries::new(),
            infos: Vec::new(),
            overflowed: 0,
        }
    }

    /// Returns `true` if an event was discarded or rejected, and has to be
    /// counted, or if a subscriber is to be evicted.
    #[must_use]
    #[inline]
    pub fn has_losses(&self) -> bool {
        self.overflowed > 0 || self.deliveries.has_losses()
    }
}

impl<E, I> Default for Outbox<E, I> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D: Dispatcher, I> ProducerSide<D, I> {
    /// Returns a producer without buffered events or demand.
    #[must_use]
    pub fn new(dispatcher: D, bound: Bound<D::Event>, overflow: Overflow, gate: Gate) -> Self {
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

    /// Returns the number of events in the buffer.
    #[must_use]
    pub const fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Returns the weight of the events in the buffer, in bytes; `None` if its
    /// bound is not in bytes.
    #[must_use]
    pub fn buffered_bytes(&self) -> Option<usize> {
        self.buffer.bytes()
    }

    /// Keeps the events that a full buffer sheds from now on, to be taken by
    /// [`take_shed`](ProducerSide::take_shed). By default they are dropped.
    pub fn keep_shed(&mut self) {
        self.buffer.keep_shed();
    }

    /// Makes the buffer share `budget` from now on; see [`Buffer::share`].
    pub fn share(&mut self, budget: &Budget) {
        self.buffer.share(budget);
    }

    /// Takes the events that a full buffer has shed, oldest first. Empty unless
    /// [`keep_shed`](ProducerSide::keep_shed) was called.
    #[must_use = "the events are no longer in the buffer"]
    pub fn take_shed(&mut self) -> Vec<Batch<D::Event>> {
        self.buffer.take_shed()
    }

    /// Takes what was emitted and not delivered, oldest first: the events that
    /// the dispatcher gives out, and those in the buffer. For a producer that
    /// ends; infos that wait in the buffer are dropped.
    #[must_use = "the events are no longer in the buffer"]
    pub fn take_rest(&mut self) -> Vec<Batch<D::Event>> {
        let mut rest = self.dispatcher.take_held();
        while let Some(taken) = self.buffer.take(usize::MAX) {
            rest.extend(taken.batches);
        }
        rest.retain(|batch| !batch.is_empty());
        rest
    }

    /// Returns the unmet demand: events asked for and not yet emitted.
    #[must_use]
    pub const fn unmet(&self) -> usize {
        self.unmet
    }

    /// Returns the number of events that the dispatcher holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.dispatcher.held()
    }

    /// Returns what subscribers of the dispatcher wait for, if anything; see
    /// [`Dispatcher::bottleneck`].
    #[must_use]
    pub fn bottleneck(&self) -> Option<Bottleneck> {
        self.dispatcher.bottleneck()
    }

    /// Returns the state of the gate.
    #[must_use]
    pub const fn gate(&self) -> Gate {
        self.gate
    }

    /// Returns the dispatcher.
    #[must_use]
    pub const fn dispatcher(&self) -> &D {
        &self.dispatcher
    }

    /// Returns `true` if everything emitted has been delivered, so that a
    /// source that has ended may complete.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.buffer.is_empty() && self.dispatcher.held() == 0
    }

    /// Begins: asks the dispatcher for demand before the first step. A dispatcher
    /// that takes events without a subscriber starts the producer here.
    pub fn start(&mut self, out: &mut Outbox<D::Event, I>) {
        self.serve_until_rest(0, out);
    }

    /// Adds a subscriber.
    ///
    /// # Errors
    ///
    /// The error of the dispatcher; nothing has changed then.
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

    /// Changes the route of a subscriber, which keeps its demand.
    ///
    /// # Errors
    ///
    /// The error of the dispatcher; nothing has changed then.
    pub fn reroute(
        &mut self,
        id: SubscriptionId,
        route: D::Route,
        out: &mut Outbox<D::Event, I>,
    ) -> Result<(), SubscribeError> {
        let demand = self.dispatcher.reroute(id, route, &mut out.deliveries)?;
        self.serve_until_rest(demand, out);
        Ok(())
    }

    /// Cancels a subscriber: delivers nothing more to it. It may still handle
    /// events delivered earlier; the caller calls
    /// [`take_back`](ProducerSide::take_back) when it is done.
    pub fn cancel(&mut self, id: SubscriptionId, out: &mut Outbox<D::Event, I>) {
        self.collected.remove(&id);
        let demand = self.dispatcher.cancel(id, &mut out.deliveries);
        self.abandoned = self.unmet;
        self.serve_until_rest(demand, out);
    }

    /// Takes back the events that a cancelled subscriber has not handled,
    /// oldest first, once it is done with everything it was delivered. They go
    /// to the front of the buffer, unless the dispatcher has delivered them to
    /// others too.
    ///
    /// [`take_returned`](Self::take_returned) and
    /// [`hand_back`](Self::hand_back) in one step.
    pub fn take_back(
        &mut self,
        id: SubscriptionId,
        unhandled: Vec<Batch<D::Event>>,
        out: &mut Outbox<D::Event, I>,
    ) {
        if let Some(returned) = self.take_returned(id, unhandled, out) {
            self.hand_back(returned, out);
        }
    }

    /// The first half of [`take_back`](Self::take_back): gives the events to the
    /// dispatcher and returns those that are to be sent again, if there are any.
    /// The caller passes them to [`hand_back`](Self::hand_back) before the next
    /// step; until then later events could overtake them.
    #[must_use = "the events are in no buffer"]
    pub fn take_returned(
        &mut self,
        id: SubscriptionId,
        unhandled: Vec<Batch<D::Event>>,
        out: &mut Outbox<D::Event, I>,
    ) -> Option<Returned<D::Event>> {
        let demand = self
            .dispatcher
            .take_back(id, unhandled, &mut out.deliveries);
        let mut batches = std::mem::take(&mut out.deliveries.handed_back);
        let events = match batches.pop() {
            None => {
                self.serve_until_rest(demand, out);
                return None;
            }
            Some(only) if batches.is_empty() => only,
            Some(last) => batches.into_iter().flatten().chain(last).collect(),
        };
        Some(Returned { events, demand })
    }

    /// The second half of [`take_back`](Self::take_back): buffers what is left
    /// of `returned` in front of all other events, and serves demand for it.
    pub fn hand_back(&mut self, returned: Returned<D::Event>, out: &mut Outbox<D::Event, I>) {
        if !returned.events.is_empty() {
            out.deliveries.handed_back.push(returned.events);
        }
        self.serve_until_rest(returned.demand, out);
    }

    /// Adds `demand` events to what a subscriber has asked for.
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

    /// Replaces the demand of departed subscribers by `netted` events of a new
    /// ask. The producer had nothing for the departed ones but may have
    /// something now, so it is called.
    #[cold]
    fn replace_abandoned(&mut self, netted: usize) {
        self.abandoned = self.abandoned.min(self.unmet);
        self.due |= self.abandoned > 0 && netted > 0;
        self.abandoned = self.abandoned.saturating_sub(netted);
    }

    /// Dispatches `events` that the producer emitted, whether or not they were
    /// asked for.
    #[inline]
    pub fn emit(&mut self, events: Vec<D::Event>, out: &mut Outbox<D::Event, I>) {
        self.unmet = self.unmet.saturating_sub(events.len());
        if self.has_more && events.len() >= MOST_AT_ONCE {
            self.due = true;
        }
        // New events must queue behind buffered ones, or they would overtake
        // them.
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

    /// Not inlined: otherwise every step would reserve its stack space.
    #[inline(never)]
    fn store(&mut self, events: Batch<D::Event>, out: &mut Outbox<D::Event, I>) {
        let stored = self.buffer.store(events);
        out.overflowed = out.overflowed.saturating_add(stored.discarded);
        out.infos.extend(stored.infos);
        if let Some(spare) = stored.spare {
            out.deliveries.recycle(spare);
        }
    }

    /// Sends `info` through the buffer: it is due when the events now in the
    /// buffer have left it.
    pub fn info(&mut self, info: I, out: &mut Outbox<D::Event, I>) {
        if let Err(due) = self.buffer.store_info(info) {
            out.infos.push(due);
        }
    }

    /// Opens or closes the gate. Opening it releases the demand that was
    /// collected.
    pub fn set_gate(&mut self, gate: Gate, out: &mut Outbox<D::Event, I>) {
        self.gate = gate;
        if gate == Gate::Open {
            self.due = true;
            // Demand returned while the gate was closed belongs to events
            // handed back, and is served from the buffer below. The rest of the
            // buffer may answer demand from before the gate was closed.
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

    /// Notes that the producer may have events now: the next [`next_demand`]
    /// returns the demand that is still unmet.
    ///
    /// [`next_demand`]: ProducerSide::next_demand
    pub const fn wake(&mut self) {
        self.due = true;
    }

    /// Returns `true` if [`next_demand`](ProducerSide::next_demand) would
    /// return a demand.
    #[must_use]
    pub const fn has_due_demand(&self) -> bool {
        self.due && self.unmet > 0 && matches!(self.gate, Gate::Open)
    }

    /// Returns the demand to call the producer's handler with: all that is
    /// unmet, at most 10,000 events. Returns `None` if nothing is unmet, if
    /// nothing has changed since the last call, or if the gate is closed. A
    /// producer that emits 10,000 events is called again for the rest.
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

    /// Serves `demand` and everything else that can move, until the rule of
    /// rest holds.
    #[inline]
    fn serve_until_rest(&mut self, demand: usize, out: &mut Outbox<D::Event, I>) {
        let nothing_moves = self.buffer.is_empty()
            && self.buffer.infos() == 0
            && self.gate == Gate::Open
            && out.deliveries.handed_back.is_empty();
        if !nothing_moves {
            return self.serve_buffer_until_rest(demand, out);
        }
        // Fast path for an empty buffer, which is the usual case: consumers
        // that keep up leave nothing to buffer.
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
        // Subscribers with demand for these events have asked already. Demand
        // returned together with them is for them too, and is served from the
        // buffer below.
        self.offer(returned_events.saturating_sub(demand), out);
        self.serve(demand, out);
        loop {
            let more = out.deliveries.take_requested().saturating_add(
                self.dispatcher
                    .at_rest(Supply::new(self.buffer.len(), self.unmet)),
            );
            let before = self.buffer.len();
            self.serve(more, out);
            // A pass that took nothing from the buffer ends the loop, even if
            // the dispatcher keeps returning demand.
            if self.buffer.len() == before {
                break;
            }
        }
        if self.buffer.is_empty() {
            self.buffer.release_infos(&mut out.infos);
        }
    }

    /// Puts the events that the dispatcher handed back into the buffer; returns
    /// their number.
    #[inline(never)]
    fn buffer_handed_back(&mut self, out: &mut Outbox<D::Event, I>) -> usize {
        let returned = std::mem::take(&mut out.deliveries.handed_back);
        let events = returned.iter().map(Batch::len).sum();
        self.buffer.hand_back(returned);
        events
    }

    /// Serves demand from the buffer first; only the remainder becomes unmet
    /// demand.
    fn serve(&mut self, demand: usize, out: &mut Outbox<D::Event, I>) {
        let remainder = self.offer(demand, out);
        self.owe(remainder);
    }

    /// Dispatches up to `count` events from the front of the buffer; returns
    /// the part of `count` that the buffer could not serve.
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
