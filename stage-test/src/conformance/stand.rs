//! [`Stand`]: drives a dispatcher under test and records its actions.

use std::collections::{BTreeMap, VecDeque};

use stage_core::{Batch, Deliveries, Dispatcher, SubscriptionId};

use super::script::Op;
use super::{Conformance, TestEvent};

/// A dispatcher and its subscribers.
pub(super) struct Stand<'a, D: Dispatcher> {
    suite: &'a Conformance<D>,
    pub(super) dispatcher: D,
    pub(super) subscribers: Subscribers,
    events: u64,
}

/// The current subscriptions, by the number of the subscriber. Each
/// subscription has a new id, even if the subscriber had one before.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    taken: BTreeMap<usize, SubscriptionId>,
    /// Cancelled and not yet taken back.
    leaving: VecDeque<SubscriptionId>,
    ids: u64,
}

/// The effects of a step.
#[derive(Debug, PartialEq)]
pub(super) struct Step<E> {
    pub(super) asked: Option<(SubscriptionId, usize)>,
    pub(super) cancelled: Option<SubscriptionId>,
    pub(super) dispatched: Vec<E>,
    /// The demand for upstream that the call returned, plus what it requested.
    pub(super) demand: usize,
    pub(super) delivered: Vec<(SubscriptionId, Vec<E>)>,
    pub(super) left_over: Vec<E>,
    pub(super) handed_back: Vec<E>,
    pub(super) rejected: Vec<E>,
    pub(super) discarded: usize,
    pub(super) held: usize,
}

impl Subscribers {
    /// Returns a new id for a subscriber, unless it is subscribed.
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

    /// Takes the subscription that was cancelled first, to be taken back.
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
            subscribers: Subscribers::default(),
            events: 0,
        }
    }

    /// Performs `op`, if it is possible now.
    pub(super) fn step(&mut self, op: Op) -> Option<Step<D::Event>> {
        let mut out = Deliveries::new();
        let mut step = Step::default();
        match op {
            Op::Subscribe(subscriber) => {
                let id = self.subscribers.next_id(subscriber)?;
                let route = (self.suite.route)(subscriber);
                step.demand = self.dispatcher.subscribe(id, route).ok()?;
                self.subscribers.take(subscriber, id);
            }
            Op::Cancel(subscriber) => {
                let id = self.subscribers.leave(subscriber)?;
                step.cancelled = Some(id);
                step.demand = self.dispatcher.cancel(id, &mut out);
            }
            Op::TakeBack => {
                let id = self.subscribers.next_gone()?;
                step.demand = self.dispatcher.take_back(id, Vec::new(), &mut out);
            }
            Op::Ask(subscriber, demand) => {
                let id = self.subscribers.get(subscriber)?;
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
