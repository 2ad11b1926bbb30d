//! The rules of a dispatcher in a [`ProducerSide`]: nothing deliverable stays
//! in the buffer, no demand is stuck, no event is lost, and in the end
//! everything is delivered.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use fastrand::Rng;
use stage_core::{
    Batch, Bound, Deliveries, Dispatcher, Gate, Outbox, Overflow, ProducerSide, SubscriptionId,
};

use super::demand::NeverMoreThanAsked;
use super::rule::{Broken, at};
use super::script::{Op, script};
use super::stand::Subscribers;
use super::{Audience, Conformance, TestEvent};

pub(super) fn check<D: Dispatcher>(suite: &Conformance<D>, seed: u64) -> Result<(), Broken>
where
    D::Event: TestEvent,
{
    let mut producer = Producer::new(suite, seed);
    let script = script(seed, suite.subscribers);
    let steps = script.len();
    for (index, op) in script.into_iter().enumerate() {
        producer.step(op).map_err(at(index))?;
        producer.nothing_stays_behind().map_err(at(index))?;
        producer.no_demand_is_stuck().map_err(at(index))?;
    }
    producer.everything_comes_out().map_err(at(steps))
}

struct Producer<'a, D: Dispatcher> {
    suite: &'a Conformance<D>,
    side: ProducerSide<D, ()>,
    subscribers: Subscribers,
    demand: NeverMoreThanAsked,
    emitted: Vec<D::Event>,
    /// Emitted and not yet delivered, or handed back since.
    unseen: Vec<D::Event>,
    /// The events that each subscriber was delivered.
    delivered: BTreeMap<SubscriptionId, Vec<D::Event>>,
    discarded: usize,
    rng: Rng,
}

impl<'a, D: Dispatcher> Producer<'a, D>
where
    D::Event: TestEvent,
{
    fn new(suite: &'a Conformance<D>, seed: u64) -> Self {
        Self {
            suite,
            side: ProducerSide::new(
                (suite.make)(),
                Bound::Unbounded,
                Overflow::DropOldest,
                Gate::Open,
            ),
            subscribers: Subscribers::default(),
            demand: NeverMoreThanAsked::default(),
            emitted: Vec::new(),
            unseen: Vec::new(),
            delivered: BTreeMap::new(),
            discarded: 0,
            rng: Rng::with_seed(seed),
        }
    }

    fn step(&mut self, op: Op) -> Result<(), String> {
        let mut out = Outbox::new();
        if self.rng.u8(0..10) == 0 {
            let gate = match self.side.gate() {
                Gate::Open => Gate::Closed,
                Gate::Closed => Gate::Open,
            };
            self.side.set_gate(gate, &mut out);
            self.note(&mut out)?;
        }
        match op {
            Op::Subscribe(subscriber) => self.subscribe(subscriber, &mut out),
            Op::Cancel(subscriber) => {
                if let Some(id) = self.subscribers.leave(subscriber) {
                    self.demand.cancelled(id);
                    self.side.cancel(id, &mut out);
                }
            }
            Op::TakeBack => {
                if let Some(id) = self.subscribers.next_gone() {
                    self.take_back(id, &mut out);
                }
            }
            Op::Ask(subscriber, demand) => self.ask(subscriber, demand, &mut out),
            Op::Dispatch(count) => self.emit(count, &mut out),
        }
        self.note(&mut out)
    }

    fn subscribe(&mut self, subscriber: usize, out: &mut Outbox<D::Event, ()>) {
        let Some(id) = self.subscribers.next_id(subscriber) else {
            return;
        };
        let route = (self.suite.route)(subscriber);
        if self.side.subscribe(id, route, out).is_ok() {
            self.subscribers.take(subscriber, id);
        }
    }

    fn ask(&mut self, subscriber: usize, demand: NonZeroUsize, out: &mut Outbox<D::Event, ()>) {
        if let Some(id) = self.subscribers.get(subscriber) {
            self.demand.asked(id, demand.get());
            self.side.ask(id, demand, out);
        }
    }

    /// A subscriber that left hands back some of its delivered events.
    fn take_back(&mut self, id: SubscriptionId, out: &mut Outbox<D::Event, ()>) {
        let mut events = self.delivered.remove(&id).unwrap_or_default();
        let unhandled = events.split_off(events.len() - self.rng.usize(0..=events.len()));
        if matches!(self.suite.audience, Audience::OneSubscriber) {
            self.unseen.extend(unhandled.iter().cloned());
        }
        self.side.take_back(id, vec![Batch::from(unhandled)], out);
    }

    /// Emits at most the unmet demand in three of four calls, and any number
    /// otherwise.
    fn emit(&mut self, count: usize, out: &mut Outbox<D::Event, ()>) {
        let count = if self.rng.u8(0..4) == 0 {
            count
        } else {
            count.min(self.side.unmet())
        };
        let first = self.emitted.len() as u64;
        let numbers = first..first + count as u64;
        let events: Vec<D::Event> = numbers.map(|number| (self.suite.event)(number)).collect();
        self.emitted.extend(events.iter().cloned());
        self.unseen.extend(events.iter().cloned());
        self.side.emit(events, out);
    }

    fn note(&mut self, out: &mut Outbox<D::Event, ()>) -> Result<(), String> {
        self.discarded += out.deliveries.take_discarded();
        for rejected in out.deliveries.take_rejected() {
            self.unseen.retain(|event| *event != rejected.event);
        }
        for (id, events) in out.deliveries.take_sends() {
            self.demand.delivered(id, events.len())?;
            self.unseen.retain(|event| !events.contains(event));
            self.delivered.entry(id).or_default().extend(events);
        }
        let evicted: Vec<_> = out.deliveries.take_evicted().collect();
        for (id, _) in evicted {
            if self.subscribers.evict(id) {
                self.demand.cancelled(id);
                self.side.cancel(id, out);
                self.note(out)?;
            }
        }
        let inside = self.side.buffered() + self.side.held() + self.discarded;
        match self.suite.audience {
            Audience::OneSubscriber if self.unseen.len() != inside => Err(format!(
                "{} events did not come out, but {inside} are buffered, held or discarded",
                self.unseen.len()
            )),
            _ => Ok(()),
        }
    }

    /// Returns a new dispatcher with the subscribers and unmet demand of this
    /// one, and its demand for upstream.
    fn without_past(&self) -> (D, usize) {
        let mut dispatcher = (self.suite.make)();
        let mut out = Deliveries::new();
        let mut demand = 0_usize;
        for (subscriber, id) in self.subscribers.iter() {
            let route = (self.suite.route)(subscriber);
            let asked = dispatcher.subscribe(id, route).unwrap_or_default();
            demand = demand.saturating_add(asked);
        }
        for (_, id) in self.subscribers.iter() {
            if let Some(open) = NonZeroUsize::new(self.demand.open(id)) {
                demand = demand.saturating_add(dispatcher.ask(id, open, &mut out));
            }
        }
        (dispatcher, demand.saturating_add(out.take_requested()))
    }

    /// Checks that this dispatcher has delivered everything that a new one with
    /// the same demand would deliver.
    fn nothing_stays_behind(&self) -> Result<(), String> {
        let waits = matches!(self.suite.audience, Audience::EachInItsOwnTime(_))
            && self.side.bottleneck().is_some();
        if self.side.gate() == Gate::Closed || waits {
            return Ok(());
        }
        let behind = match self.suite.audience {
            Audience::OneSubscriber => &self.unseen[..],
            Audience::EverySubscriber(_) | Audience::EachInItsOwnTime(_) => {
                &self.emitted[self.emitted.len() - self.side.buffered()..]
            }
        };
        for event in behind {
            let (mut dispatcher, _) = self.without_past();
            let mut out = Deliveries::new();
            dispatcher.dispatch(Batch::from(vec![event.clone()]), &mut out);
            if let Some((id, _)) = out.take_sends().next() {
                return Err(format!("{event:?} stays behind, though {id} could have it"));
            }
        }
        Ok(())
    }

    /// Checks that, with nothing buffered or held, the producer was asked for
    /// everything that the subscribers wait for.
    fn no_demand_is_stuck(&self) -> Result<(), String> {
        if self.side.gate() == Gate::Closed || !self.side.is_drained() {
            return Ok(());
        }
        let (_, demand) = self.without_past();
        let unmet = self.side.unmet();
        if unmet < demand {
            return Err(format!(
                "subscribers wait for {demand} events, but the producer was asked for {unmet}"
            ));
        }
        Ok(())
    }

    fn everything_comes_out(&mut self) -> Result<(), String> {
        let mut out = Outbox::new();
        self.side.set_gate(Gate::Open, &mut out);
        while let Some(id) = self.subscribers.next_gone() {
            self.take_back(id, &mut out);
        }
        for subscriber in 0..self.suite.subscribers {
            self.subscribe(subscriber, &mut out);
        }
        let plenty = NonZeroUsize::MIN.saturating_add(self.emitted.len());
        for subscriber in 0..self.suite.subscribers {
            self.ask(subscriber, plenty, &mut out);
        }
        self.note(&mut out)?;
        if self.side.is_drained() {
            return Ok(());
        }
        Err(format!(
            "all have asked for plenty, yet {} events are buffered and {} held",
            self.side.buffered(),
            self.side.held()
        ))
    }
}
