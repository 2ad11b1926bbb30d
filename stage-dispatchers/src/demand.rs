//! The highest demand first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroUsize;

use foldhash::{HashMap, HashMapExt};
use stage_core::{Batch, Deliveries, Dispatcher, SubscribeError, SubscriptionId, Supply};

use crate::supply::{saturate, shortfall};

/// Sends each event to one subscriber: the one whose pending demand is the
/// highest. The default dispatcher.
///
/// Among equals the one that has waited longest comes first: whoever asks or
/// is served goes behind those with the same demand. Subscribers should all
/// have the same `max_demand`, or the greedy ones get more than their share.
///
/// Demand of a subscriber that cancels stays with upstream, which may be
/// working on it; the next asks are netted against it.
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
    ranks: HashMap<SubscriptionId, Rank>,
    /// The first in rank on top. A subscriber whose rank has changed is in it
    /// once more; the older entries are passed over when they come up.
    ranking: BinaryHeap<Reverse<(Rank, SubscriptionId)>>,
    turns: u64,
    total: u128,
    /// What upstream was asked for beyond the demand there is now.
    pending: u128,
    shuffle: Option<u64>,
    event: PhantomData<fn(E)>,
}

/// Outdated entries that the ranking may have beyond as many as there are
/// subscribers, so that a few subscribers are not swept all the time.
const SPARE_ENTRIES: usize = 32;

/// A subscriber's place in the ranking; the turn makes it unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    demand: Reverse<usize>,
    turn: u64,
}

impl<E> Demand<E> {
    /// A dispatcher without subscribers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            ranks: HashMap::new(),
            ranking: BinaryHeap::new(),
            turns: 0,
            total: 0,
            pending: 0,
            shuffle: None,
            event: PhantomData,
        }
    }

    /// Serves the subscribers of the first dispatch in a random order, so that
    /// of many pipelines with the same wiring not every one loads its first
    /// consumer first. Not done by default.
    ///
    /// The first dispatch that finds demand puts all subscribers present in an
    /// order that follows from `seed` and serves down that order. From then on
    /// the highest demand is first, and the order drawn decides among equals.
    ///
    /// ```
    /// # use stage_dispatchers::Demand;
    /// let demand: Demand<u64> = Demand::new().shuffle_first(42);
    /// ```
    ///
    /// Source: `:shuffle_demands_on_first_dispatch`. There, a subscriber
    /// without demand that is drawn first holds up all others; here it is
    /// passed over.
    #[must_use]
    pub const fn shuffle_first(mut self, seed: u64) -> Self {
        self.shuffle = Some(seed);
        self
    }

    /// Gives a subscriber a new rank: behind those with the same demand.
    fn place(&mut self, id: SubscriptionId, demand: usize) {
        let rank = Rank {
            demand: Reverse(demand),
            turn: self.turns,
        };
        self.turns += 1;
        self.total += demand as u128;
        if let Some(before) = self.ranks.insert(id, rank) {
            self.total -= before.demand.0 as u128;
        }
        if self.ranking.len() > 2 * self.ranks.len() + SPARE_ENTRIES {
            self.sweep();
        }
        // Without demand it is served by nobody, and need not be found.
        if demand > 0 {
            self.ranking.push(Reverse((rank, id)));
        }
    }

    /// Removes the entries of ranks that are no more.
    fn sweep(&mut self) {
        let ranks = &self.ranks;
        self.ranking
            .retain(|Reverse((rank, id))| ranks.get(id) == Some(rank) && rank.demand.0 > 0);
    }

    /// Takes the first in rank that has demand out of the ranking.
    fn first_with_demand(&mut self) -> Option<(SubscriptionId, usize)> {
        loop {
            let Reverse((rank, id)) = self.ranking.pop()?;
            if self.ranks.get(&id) == Some(&rank) {
                return Some((id, rank.demand.0));
            }
        }
    }

    fn serve(
        &mut self,
        id: SubscriptionId,
        demand: usize,
        events: &mut Batch<E>,
        out: &mut Deliveries<E>,
    ) {
        let now = events.split_to(demand);
        self.place(id, demand - now.len());
        out.deliver(id, now);
    }

    fn serve_shuffled(&mut self, seed: u64, events: &mut Batch<E>, out: &mut Deliveries<E>) {
        let mut order: Vec<(Rank, SubscriptionId)> =
            self.ranks.iter().map(|(&id, &rank)| (rank, id)).collect();
        order.sort_unstable();
        fastrand::Rng::with_seed(seed).shuffle(&mut order);
        for (rank, id) in order {
            self.serve(id, rank.demand.0, events, out);
        }
    }
}

impl<E> Dispatcher for Demand<E> {
    type Event = E;
    type Route = ();

    fn subscribe(&mut self, id: SubscriptionId, (): ()) -> Result<usize, SubscribeError> {
        if self.ranks.contains_key(&id) {
            return Err(SubscribeError::AlreadySubscribed { id });
        }
        self.place(id, 0);
        Ok(0)
    }

    fn cancel(&mut self, id: SubscriptionId, _out: &mut Deliveries<E>) -> usize {
        if let Some(rank) = self.ranks.remove(&id) {
            let Reverse(demand) = rank.demand;
            self.total -= demand as u128;
            self.pending += demand as u128;
        }
        0
    }

    fn ask(&mut self, id: SubscriptionId, demand: NonZeroUsize, _out: &mut Deliveries<E>) -> usize {
        let Some(rank) = self.ranks.get(&id) else {
            return 0;
        };
        self.place(id, rank.demand.0.saturating_add(demand.get()));
        let asked_before = saturate(self.pending).min(demand.get());
        self.pending -= asked_before as u128;
        demand.get() - asked_before
    }

    fn dispatch(&mut self, mut events: Batch<E>, out: &mut Deliveries<E>) -> Batch<E> {
        if self.total > 0
            && !events.is_empty()
            && let Some(seed) = self.shuffle.take()
        {
            self.serve_shuffled(seed, &mut events, out);
        }
        while !events.is_empty() {
            let Some((id, demand)) = self.first_with_demand() else {
                break;
            };
            self.serve(id, demand, &mut events, out);
        }
        self.pending = self.pending.saturating_sub(events.len() as u128);
        events
    }

    fn at_rest(&mut self, supply: Supply) -> usize {
        let buffered = self.total.min(supply.buffered as u128);
        let wanted = self.total - buffered;
        let extra = shortfall(wanted, supply.owed) as u128;
        self.pending = (supply.owed as u128 + extra).saturating_sub(wanted);
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
