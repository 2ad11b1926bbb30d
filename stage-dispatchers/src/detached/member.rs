//! [`Member`]: one subscriber of a [`Detached`](super::Detached), with its queue.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice::from_ref;

use stage_core::{Batch, Bound, Deliveries, SubscriptionId, WhenFull};

use super::SubscriberQueue;

/// A subscriber. It never has both demand and queued events.
pub(super) struct Member<E> {
    /// Its place among the rooms of all.
    pub(super) place: usize,
    pub(super) route: SubscriberQueue<E>,
    demand: usize,
    queue: VecDeque<Batch<E>>,
    pub(super) queued: usize,
    /// The weight of the queue, in the unit of its bound.
    weight: usize,
    /// Its eviction was requested, so it gets nothing that comes after the gap.
    evicted: bool,
}

impl<E> Member<E> {
    pub(super) const fn new(place: usize, route: SubscriberQueue<E>) -> Self {
        Self {
            place,
            route,
            demand: 0,
            queue: VecDeque::new(),
            queued: 0,
            weight: 0,
            evicted: false,
        }
    }

    /// Returns for how many events the producer need not wait for this
    /// subscriber. With a bound in bytes it is an estimate, and not 0 unless the
    /// queue is full.
    pub(super) fn room(&self) -> u128 {
        match (self.route.when_full, self.route.bound.limit()) {
            (WhenFull::Wait, Some(limit)) => {
                self.demand as u128 + limit.saturating_sub(self.weight) as u128
            }
            _ => u128::MAX,
        }
    }

    /// Returns how many of the next `events`, all of which go to this subscriber,
    /// the producer need not wait with.
    pub(super) fn accepts(&self, events: &[E]) -> usize {
        let WhenFull::Wait = self.route.when_full else {
            return events.len();
        };
        let beyond = events.get(self.demand..).unwrap_or_default();
        self.demand.min(events.len()) + self.route.fits(self.weight, beyond)
    }

    /// Whether `event` is for this subscriber, and the producer has to wait with it.
    /// It has not if the selector panics at it: it is rejected then.
    pub(super) fn is_blocked_by(&self, event: &E) -> bool {
        let selector = &self.route.selector;
        let selected = catch_unwind(AssertUnwindSafe(|| selector.keeps(event)));
        selected.unwrap_or(false) && self.accepts(from_ref(event)) == 0
    }

    /// Adds demand, and serves it from the queue first.
    pub(super) fn ask(&mut self, id: SubscriptionId, demand: usize, out: &mut Deliveries<E>) {
        if self.evicted {
            return;
        }
        self.demand = self.demand.saturating_add(demand);
        while self.demand > 0
            && let Some(front) = self.queue.front_mut()
        {
            let now = front.split_to(self.demand);
            if front.is_empty() {
                self.queue.pop_front();
            }
            self.demand -= now.len();
            self.queued -= now.len();
            self.weight -= self.route.bound.weight(&now);
            out.deliver(id, now);
        }
    }

    /// Delivers events up to the demand, and queues or drops the others.
    pub(super) fn offer(
        &mut self,
        id: SubscriptionId,
        mut events: Batch<E>,
        out: &mut Deliveries<E>,
    ) {
        if self.evicted {
            out.shed(id, events.len());
            return;
        }
        if self.demand > 0 {
            let now = events.split_to(self.demand);
            self.demand -= now.len();
            out.deliver(id, now);
        }
        if events.is_empty() {
            return;
        }
        match self.route.when_full {
            WhenFull::Wait => self.push(events),
            WhenFull::DropOldest => {
                self.push(events);
                self.drop_oldest(id, out);
            }
            WhenFull::DropNewest | WhenFull::Detach => {
                let kept = events.split_to(self.route.fits(self.weight, &events));
                self.push(kept);
                out.shed(id, events.len());
                if self.route.when_full == WhenFull::Detach && !events.is_empty() {
                    self.evicted = true;
                    out.evict(id, self.complaint());
                }
            }
        }
    }

    fn complaint(&self) -> String {
        let limit = self.route.bound.limit().unwrap_or_default();
        let unit = match self.route.bound {
            Bound::Bytes { .. } => "bytes",
            _ => "events",
        };
        format!("it is too slow: its queue of {limit} {unit} is full")
    }

    fn push(&mut self, events: Batch<E>) {
        if !events.is_empty() {
            self.queued += events.len();
            self.weight = self.weight.saturating_add(self.route.bound.weight(&events));
            self.queue.push_back(events);
        }
    }

    /// Drops events from the front until the rest is within the bound.
    fn drop_oldest(&mut self, id: SubscriptionId, out: &mut Deliveries<E>) {
        let Some(limit) = self.route.bound.limit() else {
            return;
        };
        let before = self.queued;
        let in_bytes = matches!(self.route.bound, Bound::Bytes { .. });
        while self.weight > limit
            && let Some(front) = self.queue.front_mut()
        {
            // An event of any weight may stay if it is the only one.
            if in_bytes && self.queued == 1 && limit > 0 {
                break;
            }
            let (count, weight) = if in_bytes {
                (
                    1,
                    front.first().map_or(0, |e| self.route.bound.weight_of(e)),
                )
            } else {
                let count = front.len().min(self.weight - limit);
                (count, count)
            };
            front.advance(count);
            if front.is_empty() {
                self.queue.pop_front();
            }
            self.queued -= count;
            self.weight -= weight;
        }
        out.shed(id, before - self.queued);
    }

    /// Takes all that is queued.
    pub(super) fn take_queue(&mut self) -> VecDeque<Batch<E>> {
        self.queued = 0;
        self.weight = 0;
        std::mem::take(&mut self.queue)
    }

    /// Replaces the route. What is queued stays, within the new bound.
    pub(super) fn reroute(
        &mut self,
        id: SubscriptionId,
        route: SubscriberQueue<E>,
        out: &mut Deliveries<E>,
    ) {
        self.route = route;
        let bound = self.route.bound;
        let weights = self.queue.iter().map(|batch| bound.weight(batch));
        self.weight = weights.fold(0, usize::saturating_add);
        if self.route.when_full == WhenFull::DropOldest {
            self.drop_oldest(id, out);
        }
    }
}
