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
    /// Subscribers that the dispatcher evicted, after these deliveries.
    pub(super) evicted: Vec<SubscriptionId>,
    /// The subscribers that were there before they were evicted.
    before: Vec<(usize, SubscriptionId)>,
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

    /// Lets the subscription `id` leave, if there is one.
    pub(super) fn evict(&mut self, id: SubscriptionId) -> bool {
        let subscriber = self.taken.iter().find(|(_, taken)| **taken == id);
        let subscriber = subscriber.map(|(subscriber, _)| *subscriber);
        subscriber.is_some_and(|subscriber| self.leave(subscriber).is_some())
    }

    /// Returns the subscribers during `step`: those that were evicted in it too.
    pub(super) fn iter_before<'a, E>(
        &'a self,
        step: &'a Step<E>,
    ) -> impl Iterator<Item = (usize, SubscriptionId)> + 'a {
        let evicted = step.before.iter().copied();
        self.iter().chain(evicted)
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
        self.carry_out_evictions(&mut step, &mut out);
        step.held = self.dispatcher.held();
        Some(step)
    }
}

impl<D: Dispatcher> Stand<'_, D> {
    /// Cancels the subscribers that the dispatcher evicts, as a producer does.
    fn carry_out_evictions(&mut self, step: &mut Step<D::Event>, out: &mut Deliveries<D::Event>) {
        loop {
            let evicted: Vec<_> = out.take_evicted().map(|(id, _)| id).collect();
            if evicted.is_empty() {
                return;
            }
            for id in evicted {
                let subscriber = self.subscribers.iter().find(|(_, taken)| *taken == id);
                step.evicted.push(id);
                if self.subscribers.evict(id) {
                    step.before.extend(subscriber);
                    let demand = self.dispatcher.cancel(id, out);
                    step.demand = step.demand.saturating_add(demand);
                    step.note(out);
                }
            }
        }
    }
}

impl<E> Step<E> {
    /// Returns the subscribers that left in this step.
    pub(super) fn left(&self) -> impl Iterator<Item = SubscriptionId> + '_ {
        self.cancelled
            .into_iter()
            .chain(self.evicted.iter().copied())
    }

    fn note(&mut self, out: &mut Deliveries<E>) {
        let sends = out.take_sends();
        self.delivered
            .extend(sends.map(|(to, batch)| (to, batch.into_vec())));
        self.handed_back.extend(out.take_handed_back().flatten());
        let rejected = out.take_rejected();
        self.rejected
            .extend(rejected.map(|rejected| rejected.event));
        self.discarded += out.take_discarded();
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
            evicted: Vec::new(),
            before: Vec::new(),
            held: 0,
        }
    }
}
