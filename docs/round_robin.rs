use stages::prelude::*;
use stages::{
    SubscribeError,
    dispatcher::{Deliveries, Dispatcher, Supply},
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::marker::PhantomData;
use std::num::NonZeroUsize;

/// Deals events out like cards: one to each subscriber in turn, passing over
/// those that have asked for nothing.
#[derive(Debug)]
pub struct RoundRobin<E> {
    demand: HashMap<SubscriptionId, usize>,
    /// Those that have demand; the next to be served is in front.
    turns: VecDeque<SubscriptionId>,
    /// The sum of all demand.
    wanted: u128,
    events: PhantomData<fn(E)>,
}

impl<E> RoundRobin<E> {
    pub fn new() -> Self {
        Self {
            demand: HashMap::new(),
            turns: VecDeque::new(),
            wanted: 0,
            events: PhantomData,
        }
    }
}

impl<E> Dispatcher for RoundRobin<E> {
    type Event = E;
    type Route = ();

    fn subscribe(&mut self, id: SubscriptionId, (): ()) -> Result<usize, SubscribeError> {
        if self.demand.contains_key(&id) {
            return Err(SubscribeError::AlreadySubscribed { id });
        }
        self.demand.insert(id, 0);
        Ok(0)
    }

    fn cancel(&mut self, id: SubscriptionId, _out: &mut Deliveries<E>) -> usize {
        if let Some(demand) = self.demand.remove(&id) {
            self.wanted -= demand as u128;
            self.turns.retain(|&turn| turn != id);
        }
        0
    }

    fn ask(&mut self, id: SubscriptionId, more: NonZeroUsize, _out: &mut Deliveries<E>) -> usize {
        if let Some(demand) = self.demand.get_mut(&id) {
            if *demand == 0 {
                self.turns.push_back(id);
            }
            let before = *demand;
            *demand = before.saturating_add(more.get());
            self.wanted += (*demand - before) as u128;
        }
        0
    }

    fn dispatch(&mut self, mut events: Batch<E>, out: &mut Deliveries<E>) -> Batch<E> {
        let mut shares: BTreeMap<SubscriptionId, Vec<E>> = BTreeMap::new();
        while !events.is_empty() {
            let Some(id) = self.turns.pop_front() else {
                break;
            };
            shares.entry(id).or_default().extend(events.pop_front());
            self.wanted -= 1;
            if let Some(demand) = self.demand.get_mut(&id) {
                *demand -= 1;
                if *demand > 0 {
                    self.turns.push_back(id);
                }
            }
        }
        for (id, share) in shares {
            out.deliver(id, Batch::from(share));
        }
        events
    }

    fn at_rest(&mut self, supply: Supply) -> usize {
        let wanted = usize::try_from(self.wanted).unwrap_or(usize::MAX);
        let from_buffer = wanted.min(supply.buffered);
        from_buffer + (wanted - from_buffer).saturating_sub(supply.owed)
    }
}
