//! One partition: its subscriber, and either demand or a queue.

use std::collections::VecDeque;
use std::fmt::{self, Debug};

use stage_core::{Batch, Deliveries, SubscriptionId};

/// A partition. It has demand or queued events, never both.
pub(super) struct Slot<K, E> {
    pub(super) key: K,
    pub(super) owner: Option<SubscriptionId>,
    demand: usize,
    queue: VecDeque<E>,
}

/// What a step did to the sums over all partitions, in events.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    /// Demand that no event has answered.
    pub(super) demand: u128,
    /// Events in queues.
    pub(super) queued: u128,
}

impl<K, E> Slot<K, E> {
    pub(super) const fn new(key: K) -> Self {
        Self {
            key,
            owner: None,
            demand: 0,
            queue: VecDeque::new(),
        }
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn room(&self, bound: usize) -> u128 {
        self.demand as u128 + bound.saturating_sub(self.queue.len()) as u128
    }

    /// Serves demand from the queue and notes the rest of it.
    pub(super) fn ask(&mut self, demand: usize, sums: &mut Sums, out: &mut Deliveries<E>) {
        let from_queue = demand.min(self.queue.len());
        let before = self.demand;
        self.demand = before.saturating_add(demand - from_queue);
        sums.demand += (self.demand - before) as u128;
        sums.queued -= from_queue as u128;
        if let Some(owner) = self.owner
            && from_queue > 0
        {
            out.deliver(owner, self.queue.drain(..from_queue).collect());
        }
    }

    /// Takes events in: to the subscriber as far as it has demand, the rest to
    /// the queue.
    pub(super) fn accept(
        &mut self,
        mut events: Batch<E>,
        sums: &mut Sums,
        out: &mut Deliveries<E>,
    ) {
        if let Some(owner) = self.owner
            && self.demand > 0
        {
            let now = events.split_to(self.demand);
            self.demand -= now.len();
            sums.demand -= now.len() as u128;
            out.deliver(owner, now);
        }
        if !events.is_empty() {
            sums.queued += events.len() as u128;
            self.queue.extend(events);
        }
    }

    /// Lets the subscriber go; returns the events that were queued for it.
    pub(super) fn vacate(&mut self, sums: &mut Sums) -> Batch<E> {
        self.owner = None;
        sums.demand -= std::mem::take(&mut self.demand) as u128;
        sums.queued -= self.queue.len() as u128;
        Batch::from(Vec::from(std::mem::take(&mut self.queue)))
    }
}

impl<K: Debug, E> Debug for Slot<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("key", &self.key)
            .field("owner", &self.owner)
            .field("demand", &self.demand)
            .field("queued", &self.queue.len())
            .finish()
    }
}
