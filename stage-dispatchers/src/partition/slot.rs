//! [`Slot`]: one partition, its subscriber, and its demand or queue.

use std::collections::VecDeque;
use std::fmt::{self, Debug};
use std::mem::{replace, take};

use stage_core::{Batch, Deliveries, SubscriptionId};

/// A partition. It never has both demand and queued events.
pub(super) struct Slot<K, E> {
    pub(super) key: K,
    pub(super) owner: Option<SubscriptionId>,
    demand: usize,
    /// The events of the last ask.
    asked: usize,
    /// The contribution of this partition to [`Sums::asks`].
    counted: usize,
    /// The oldest queued events, in batches of about the size of an ask.
    front: VecDeque<Batch<E>>,
    /// The number of events in `front`.
    cut: usize,
    /// The newest queued events, not yet cut into batches.
    back: Vec<E>,
    /// The length of `back` when `open` took its buffer.
    opened: usize,
    /// The maximum length of `back` so far: the capacity of a new buffer.
    most: usize,
}

/// The minimum number of events in a batch of `front`, so that small asks do
/// not make many small batches.
const BATCH: usize = 256;

/// An ask for less than one `FEW`th of a batch moves the events it takes out of
/// the batch; a larger ask moves the events it leaves.
const FEW: usize = 8;

/// Sums over all partitions, in events.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    /// Unmet demand.
    pub(super) demand: u128,
    /// The number of partitions with unmet demand: these wait.
    pub(super) waiting: usize,
    /// The sum, over the partitions that wait, of the last ask or of the demand
    /// if that is greater.
    pub(super) asks: u128,
    /// Events in queues.
    pub(super) queued: u128,
}

impl<K, E> Slot<K, E> {
    pub(super) const fn new(key: K) -> Self {
        Self {
            key,
            owner: None,
            demand: 0,
            asked: 0,
            counted: 0,
            front: VecDeque::new(),
            cut: 0,
            back: Vec::new(),
            opened: 0,
            most: 0,
        }
    }

    pub(super) const fn demand(&self) -> usize {
        self.demand
    }

    pub(super) fn queued(&self) -> usize {
        self.cut + self.back.len()
    }

    pub(super) fn room(&self, bound: usize) -> u128 {
        self.demand as u128 + bound.saturating_sub(self.queued()) as u128
    }

    pub(super) fn set_demand(&mut self, demand: usize, sums: &mut Sums) {
        let waits = demand > 0;
        let asks = if waits { demand.max(self.asked) } else { 0 };
        let before = replace(&mut self.demand, demand);
        let counted = replace(&mut self.counted, asks);
        sums.demand = sums.demand - before as u128 + demand as u128;
        sums.asks = sums.asks - counted as u128 + asks as u128;
        sums.waiting = sums.waiting - usize::from(before > 0) + usize::from(waits);
    }

    /// Serves demand from the queue and records the rest.
    pub(super) fn ask(&mut self, demand: usize, sums: &mut Sums, out: &mut Deliveries<E>) {
        let from_queue = demand.min(self.queued());
        self.asked = demand;
        self.set_demand(self.demand.saturating_add(demand - from_queue), sums);
        sums.queued -= from_queue as u128;
        if let Some(owner) = self.owner {
            let mut left = from_queue;
            while left > 0 {
                let taken = self.take_batch(left, out);
                left -= taken.len();
                out.deliver(owner, taken);
            }
        }
    }

    /// Takes up to `count` of the queued events. The queue must not be empty.
    fn take_batch(&mut self, count: usize, out: &mut Deliveries<E>) -> Batch<E> {
        if self.front.is_empty() {
            self.split_queue(count, out);
        }
        let mut first = self.front.pop_front().unwrap_or_default();
        let (taken, rest) = if first.len() / FEW > count {
            (first.split_to(count), first)
        } else {
            let rest = first.split_off_with(count, || out.spare(BATCH));
            (first, rest)
        };
        if !rest.is_empty() {
            self.front.push_front(rest);
        }
        self.cut -= taken.len();
        taken
    }

    /// Cuts `back` into batches of `count`, at least [`BATCH`]. The remainder
    /// stays in `back`, so that the next batch is full too.
    fn split_queue(&mut self, count: usize, out: &mut Deliveries<E>) {
        let batch = count.max(BATCH);
        let mut all = Batch::from(take(&mut self.back));
        let whole = all.len() / batch * batch;
        if whole > 0 {
            let rest = all.split_off_with(whole, || out.spare(self.most));
            self.back = rest.into_vec();
        }
        self.cut = all.len();
        let front = &mut self.front;
        while let Some(part) = all.cut(batch, || out.spare(batch)) {
            front.push_front(part);
        }
        front.push_front(all);
    }

    /// Takes the buffer of `back`, with capacity for about `count` more events
    /// behind those in it.
    pub(super) fn open(&mut self, count: usize, out: &mut Deliveries<E>) -> Vec<E> {
        let mut buffer = take(&mut self.back);
        self.opened = buffer.len();
        let mut room = count;
        if self.demand == 0 {
            self.most = self.most.max(self.opened + count);
            room = self.most - self.opened;
        }
        if buffer.capacity() == 0 {
            buffer = out.spare(room);
        }
        buffer.reserve(room);
        buffer
    }

    /// Puts back the buffer that `open` took, with more events in it.
    pub(super) fn close(&mut self, buffer: Vec<E>, sums: &mut Sums, out: &mut Deliveries<E>) {
        let count = buffer.len() - self.opened;
        if self.demand == 0 {
            sums.queued += count as u128;
            self.back = buffer;
        } else if count > 0 {
            // With demand, nothing was queued.
            self.accept(Batch::from(buffer), sums, out);
        } else {
            out.recycle(buffer);
        }
    }

    /// Accepts events: delivers as many as the subscriber has demand for, and
    /// queues the rest.
    pub(super) fn accept(&mut self, events: Batch<E>, sums: &mut Sums, out: &mut Deliveries<E>) {
        let mut rest = events;
        if let Some(owner) = self.owner
            && self.demand > 0
        {
            let beyond = rest.split_off_with(self.demand, || out.spare(self.most));
            self.set_demand(self.demand - rest.len(), sums);
            out.deliver(owner, rest);
            rest = beyond;
        }
        if !rest.is_empty() {
            sums.queued += rest.len() as u128;
            rest.move_into(&mut self.back);
        }
    }

    /// Removes the subscriber, which has no demand; returns the events that
    /// were queued for the partition.
    pub(super) fn vacate(&mut self, sums: &mut Sums) -> Batch<E> {
        self.owner = None;
        sums.queued -= self.queued() as u128;
        self.cut = 0;
        let cut = take(&mut self.front).into_iter().flatten();
        cut.chain(take(&mut self.back)).collect()
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
