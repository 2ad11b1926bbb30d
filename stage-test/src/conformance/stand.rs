//! A dispatcher on the test stand: drives it and writes down what it did.

use std::collections::{BTreeMap, VecDeque};

use stage_core::{Batch, Deliveries, Dispatcher, SubscriptionId};

use super::script::Op;
use super::{Conformance, TestEvent};

/// A dispatcher and who is subscribed to it.
pub(super) struct Stand<'a, D: Dispatcher> {
    suite: &'a Conformance<D>,
    pub(super) dispatcher: D,
    pub(super) seats: Seats,
    events: u64,
}

/// The subscriptions there are, by the number of the subscriber. Every
/// subscription has an id of its own, also when a subscriber comes again.
#[derive(Debug, Default)]
pub(super) struct Seats {
    taken: BTreeMap<usize, SubscriptionId>,
    /// Cancelled, and not taken back.
    leaving: VecDeque<SubscriptionId>,
    ids: u64,
}

/// What a step did.
#[derive(Debug, PartialEq)]
pub(super) struct Step<E> {
    pub(super) asked: Option<(SubscriptionId, usize)>,
    pub(super) cancelled: Option<SubscriptionId>,
    pub(super) dispatched: Vec<E>,
    /// What the call returned for upstream, and what it requested beside.
    pub(super) demand: usize,
    pub(super) delivered: Vec<(SubscriptionId, Vec<E>)>,
    pub(super) left_over: Vec<E>,
    pub(super) handed_back: Vec<E>,
    pub(super) rejected: Vec<E>,
    pub(super) discarded: usize,
    pub(super) held: usize,
}

impl Seats {
    /// A fresh id for a subscriber, unless it is subscribed.
    pub(super) fn next_id(&mut self, subscriber: usize) -> Option<SubscriptionId> {
        if self.taken.contains_key(&subscriber) {
            return None;
        }
        self.ids += 1;
        Some(SubscriptionId::new(self.ids))
    }

    pub(super) fn take(&mut self, subscriber: usize, id: SubscriptionId) {
        self.taken.insert(subscriber, id);
    }

    pub(super) fn leave(&mut self, subscriber: usize) -> Option<SubscriptionId> {
        let id = self.taken.remove(&subscriber)?;
        self.leaving.push_back(id);
        Some(id)
    }

    /// The one that left first, and has left for good now.
    pub(super) fn next_gone(&mut self) -> Option<SubscriptionId> {
        self.leaving.pop_front()
    }

    pub(super) fn get(&self, subscriber: usize) -> Option<SubscriptionId> {
        self.taken.get(&subscriber).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, SubscriptionId)> {
        self.taken.iter().map(|(subscriber, id)| (*subscriber, *id))
    }
}

impl<'a, D: Dispatcher> Stand<'a, D>
where
    D::Event: TestEvent,
{
    pub(super) fn new(suite: &'a Conformance<D>) -> Self {
        Self {
            suite,
            dispatcher: (suite.make)(),
            seats: Seats::default(),
            events: 0,
        }
    }

    /// Does `op`, if it is possible now.
    pub(super) fn step(&mut self, op: Op) -> Option<Step<D::Event>> {
        let mut out = Deliveries::new();
        let mut step = Step::default();
        match op {
            Op::Subscribe(subscriber) => {
                let id = self.seats.next_id(subscriber)?;
                let route = (self.suite.route)(subscriber);
                step.demand = self.dispatcher.subscribe(id, route).ok()?;
                self.seats.take(subscriber, id);
            }
            Op::Cancel(subscriber) => {
                let id = self.seats.leave(subscriber)?;
                step.cancelled = Some(id);
                step.demand = self.dispatcher.cancel(id, &mut out);
            }
            Op::TakeBack => {
                let id = self.seats.next_gone()?;
                step.demand = self.dispatcher.take_back(id, Vec::new(), &mut out);
            }
            Op::Ask(subscriber, demand) => {
                let id = self.seats.get(subscriber)?;
                step.asked = Some((id, demand.get()));
                step.demand = self.dispatcher.ask(id, demand, &mut out);
            }
            Op::Dispatch(count) => {
                let numbers = self.events..self.events + count as u64;
                self.events = numbers.end;
                step.dispatched = numbers.map(|number| (self.suite.event)(number)).collect();
                let events = Batch::from(step.dispatched.clone());
                step.left_over = self.dispatcher.dispatch(events, &mut out).into_vec();
            }
        }
        step.note(&mut out);
        step.held = self.dispatcher.held();
        Some(step)
    }
}

impl<E> Step<E> {
    fn note(&mut self, out: &mut Deliveries<E>) {
        self.delivered = out
            .take_sends()
            .map(|(to, batch)| (to, batch.into_vec()))
            .collect();
        self.handed_back = out.take_handed_back().flatten().collect();
        self.rejected = out.take_rejected().map(|rejected| rejected.event).collect();
        self.discarded = out.take_discarded();
        self.demand = self.demand.saturating_add(out.take_requested());
    }
}

impl<E> Default for Step<E> {
    fn default() -> Self {
        Self {
            asked: None,
            cancelled: None,
            dispatched: Vec::new(),
            demand: 0,
            delivered: Vec::new(),
            left_over: Vec::new(),
            handed_back: Vec::new(),
            rejected: Vec::new(),
            discarded: 0,
            held: 0,
        }
    }
}
