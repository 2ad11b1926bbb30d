//! One partition: its subscriber, and either demand or a queue.

use std::fmt::{self, Debug};
use std::mem::take;

use stage_core::{Batch, Deliveries, SubscriptionId};

/// A partition. It has demand or queued events, never both.
pub(super) struct Slot<K, E> {
    pub(super) key: K,
    pub(super) owner: Option<SubscriptionId>,
    demand: usize,
    /// The oldest of the queued events, which asks have begun to take from.
    front: Batch<E>,
    /// Those behind them. Where an ask wants them all, which is the rule, they
    /// go as they are.
    back: Vec<E>,
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
            front: Batch::new(),
            back: Vec::new(),
        }
    }

    pub(super) fn queued(&self) -> usize {
        self.front.len() + self.back.len()
    }

    pub(super) fn room(&self, bound: usize) -> u128 {
        self.demand as u128 + bound.saturating_sub(self.queued()) as u128
    }

    /// Serves demand from the queue and notes the rest of it.
    pub(super) fn ask(&mut self, demand: usize, sums: &mut Sums, out: &mut Deliveries<E>) {
        let from_queue = demand.min(self.queued());
        let before = self.demand;
        self.demand = before.saturating_add(demand - from_queue);
        sums.demand += (self.demand - before) as u128;
        sums.queued -= from_queue as u128;
        if let Some(owner) = self.owner
            && from_queue > 0
        {
            out.deliver(owner, self.take_queued(from_queue));
        }
    }

    fn take_queued(&mut self, count: usize) -> Batch<E> {
        if self.front.is_empty() {
            self.front = Batch::from(take(&mut self.back));
        }
        let taken = self.front.split_to(count);
        if taken.len() == count {
            return taken;
        }
        self.front = Batch::from(take(&mut self.back));
        let more = self.front.split_to(count - taken.len());
        let mut taken = taken.into_vec();
        taken.append(&mut more.into_vec());
        Batch::from(taken)
    }

    /// A buffer for `count` more events, behind whatever is in it.
    pub(super) fn open(&mut self, count: usize, out: &mut Deliveries<E>) -> Vec<E> {
        let mut buffer = if self.back.is_empty() {
            out.spare(count)
        } else {
            take(&mut self.back)
        };
        buffer.reserve(count);
        buffer
    }

    /// Takes the buffer back, with `count` more events in it.
    pub(super) fn close(
        &mut self,
        buffer: Vec<E>,
        count: usize,
        sums: &mut Sums,
        out: &mut Deliveries<E>,
    ) {
        if self.demand > 0 {
            // So nothing was queued.
            self.accept(Batch::from(buffer), sums, out);
        } else {
            sums.queued += count as u128;
            self.back = buffer;
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
            events.move_into(&mut self.back);
        }
    }

    /// Lets the subscriber go; returns the events that were queued for it.
    pub(super) fn vacate(&mut self, sums: &mut Sums) -> Batch<E> {
        self.owner = None;
        sums.demand -= take(&mut self.demand) as u128;
        sums.queued -= self.queued() as u128;
        self.take_queued(self.queued())
    }
}

impl<K: Debug, E> Debug for Slot<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("key", &self.key)
            .field("owner", &self.owner)
            .field("demand", &self.demand)
            .field("queued", &self.queued())
            .finish()
    }
}
