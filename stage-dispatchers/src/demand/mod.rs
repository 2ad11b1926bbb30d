//! [`Demand`]: serves the subscriber with the highest demand first.

mod ranking;

use std::fmt;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, take};
use std::num::NonZeroUsize;

use stage_core::{Batch, Deliveries, Dispatcher, SubscribeError, SubscriptionId, Supply};

use crate::supply::{saturate, shortfall};
use ranking::Ranking;

/// Sends each event to one subscriber, the one with the highest pending demand.
/// The default dispatcher.
///
/// Among subscribers with the same demand, the one that has waited longest
/// comes first: a subscriber that asks or is served goes behind the others.
/// Subscribers should have the same `max_demand`, because one with a higher
/// `max_demand` gets more events.
///
/// The demand of a subscriber that cancels remains with upstream, which may be
/// working on it; later asks are netted against it.
///
/// ```
/// use std::num::NonZeroUsize;
/// use stage_core::{Batch, Deliveries, Dispatcher, SubscriptionId};
/// use stage_dispatchers::Demand;
///
/// let worker = SubscriptionId::new(1);
/// let mut out = Deliveries::new();
/// let mut demand = Demand::new();
/// demand.subscribe(worker, ()).unwrap();
/// assert_eq!(demand.ask(worker, NonZeroUsize::MIN, &mut out), 1);
///
/// let left_over = demand.dispatch(Batch::from(vec![1, 2]), &mut out);
/// assert_eq!(out.take_sends().next().unwrap().1[..], [1]);
/// assert_eq!(left_over[..], [2]);
/// ```
///
/// Source: `GenStage.DemandDispatcher`, without its warning about unequal
/// demand.
pub struct Demand<E> {
    ranking: Ranking,
    /// The sum of all demand in the ranking.
    total: u128,
    /// Events that upstream was asked for beyond the current demand.
    pending: u128,
    shuffle: Option<u64>,
    /// The allotments of a dispatch, in order; kept for its allocation.
    shares: Vec<(SubscriptionId, usize)>,
    event: PhantomData<fn(E)>,
}

impl<E> Demand<E> {
    /// Returns a dispatcher without subscribers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            ranking: Ranking::new(),
            total: 0,
            pending: 0,
            shuffle: None,
            shares: Vec::new(),
            event: PhantomData,
        }
    }

    /// Serves the subscribers of the first dispatch in a random order, so that
    /// not all pipelines with the same wiring load their first consumer first.
    /// Off by default.
    ///
    /// The first dispatch that finds demand shuffles all current subscribers,
    /// in an order derived from `seed`, and serves them in that order. From
    /// then on the highest demand comes first, and the shuffled order decides
    /// between equal demands.
    ///
    /// ```
    /// # use stage_dispatchers::Demand;
    /// let demand: Demand<u64> = Demand::new().shuffle_first(42);
    /// ```
    ///
    /// Source: `:shuffle_demands_on_first_dispatch`. There, a subscriber
    /// without demand that is first in the order blocks all others; here it is
    /// skipped.
    #[must_use]
    pub const fn shuffle_first(mut self, seed: u64) -> Self {
        self.shuffle = Some(seed);
        self
    }

    /// Allots `left` events to the subscribers in a random order; returns the
    /// number left.
    fn share_shuffled(&mut self, seed: u64, mut left: usize) -> usize {
        let mut order = self.ranking.in_order();
        fastrand::Rng::with_seed(seed).shuffle(&mut order);
        for id in order {
            let count = self.ranking.serve(id, left);
            self.total -= count as u128;
            left -= count;
            self.shares.push((id, count));
        }
        left
    }

    /// Serves one subscriber after another; returns the events without demand.
    #[inline(never)]
    fn share_out(&mut self, mut events: Batch<E>, out: &mut Deliveries<E>) -> Batch<E> {
        let mut left = events.len();
        if self.total > 0
            && left > 0
            && let Some(seed) = self.shuffle.take()
        {
            left = self.share_shuffled(seed, left);
        }
        while left > 0 {
            let Some((id, count)) = self.ranking.serve_first(left) else {
                break;
            };
            self.total -= count as u128;
            if count == events.len() {
                out.deliver(id, events);
                return Batch::new();
            }
            left -= count;
            self.shares.push((id, count));
        }
        events = out.deliver_shares(events, &self.shares);
        self.shares.clear();
        self.pending = self.pending.saturating_sub(left as u128);
        events
    }
}

impl<E> Dispatcher for Demand<E> {
    type Event = E;
    type Route = ();

    fn subscribe(&mut self, id: SubscriptionId, (): ()) -> Result<usize, SubscribeError> {
        if self.ranking.contains(id) {
            return Err(SubscribeError::AlreadySubscribed { id });
        }
        self.ranking.add(id);
        Ok(0)
    }

    fn cancel(&mut self, id: SubscriptionId, _out: &mut Deliveries<E>) -> usize {
        if let Some(demand) = self.ranking.remove(id) {
            self.total -= demand as u128;
            self.pending += demand as u128;
        }
        0
    }

    #[inline]
    fn ask(&mut self, id: SubscriptionId, demand: NonZeroUsize, _out: &mut Deliveries<E>) -> usize {
        let Some(rise) = self.ranking.raise(id, demand.get()) else {
            return 0;
        };
        self.total += rise as u128;
        let asked_before = saturate(self.pending).min(demand.get());
        self.pending -= asked_before as u128;
        demand.get() - asked_before
    }

    #[inline(always)]
    fn dispatch(&mut self, events: Batch<E>, out: &mut Deliveries<E>) -> Batch<E> {
        // Keeps the batch in registers if one subscriber gets all of it; see
        // `Deliveries::deliver`.
        let mut events = ManuallyDrop::new(events);
        let count = events.len();
        if let Some(id) = self.ranking.serve_only(count) {
            self.shuffle = None;
            self.total -= count as u128;
            out.deliver(id, ManuallyDrop::into_inner(events));
            return Batch::new();
        }
        self.share_out(take(&mut events), out)
    }

    #[inline]
    fn at_rest(&mut self, supply: Supply) -> usize {
        let owed = supply.owed as u128;
        if supply.buffered == 0 && self.total <= owed {
            // The usual case: all demand has been asked of upstream.
            self.pending = owed - self.total;
            return 0;
        }
        let buffered = self.total.min(supply.buffered as u128);
        let wanted = self.total - buffered;
        let extra = shortfall(wanted, supply.owed) as u128;
        self.pending = (owed + extra).saturating_sub(wanted);
        saturate(buffered + extra)
    }
}

impl<E> Default for Demand<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> fmt::Debug for Demand<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Demand")
            .field("ranking", &self.ranking)
            .field("pending", &self.pending)
            .field("shuffle", &self.shuffle)
            .finish_non_exhaustive()
    }
}
