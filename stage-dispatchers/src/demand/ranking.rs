//! [`Ranking`]: the order in which subscribers are served.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use foldhash::{HashMap, HashMapExt};
use stage_core::SubscriptionId;

/// Subscribers and their demand, in the order in which they are served: the
/// highest demand first, then the subscriber that has waited longest.
#[derive(Debug)]
pub(super) struct Ranking {
    /// The subscriber and its demand, if there is only one, as in most
    /// pipelines. It is then in neither `ranks` nor `order`.
    only: Option<(SubscriptionId, usize)>,
    ranks: HashMap<SubscriptionId, Rank>,
    /// The highest rank on top. A subscriber whose rank changes is pushed
    /// again; its older entries are skipped when they come up (lazy deletion).
    order: BinaryHeap<Reverse<(Rank, SubscriptionId)>>,
    turns: Turns,
}

/// The number of outdated entries that `order` may have in excess of the number
/// of subscribers, so that a small heap is not swept all the time.
const SPARE_ENTRIES: usize = 32;

/// A subscriber's rank. The turn makes it unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    demand: Reverse<usize>,
    turn: u64,
}

/// The number of ranks assigned.
#[derive(Debug)]
struct Turns(u64);

impl Turns {
    /// Returns the rank behind all others with `demand`.
    fn rank(&mut self, demand: usize) -> Rank {
        let turn = self.0;
        self.0 += 1;
        Rank {
            demand: Reverse(demand),
            turn,
        }
    }
}

impl Ranking {
    pub(super) fn new() -> Self {
        Self {
            only: None,
            ranks: HashMap::new(),
            order: BinaryHeap::new(),
            turns: Turns(0),
        }
    }

    pub(super) fn contains(&self, id: SubscriptionId) -> bool {
        self.only.is_some_and(|(only, _)| only == id) || self.ranks.contains_key(&id)
    }

    /// Adds a subscriber without demand. It must not be in the ranking yet.
    pub(super) fn add(&mut self, id: SubscriptionId) {
        if let Some((first, demand)) = self.only.take() {
            self.place(first, demand);
            self.place(id, 0);
        } else if self.ranks.is_empty() {
            self.only = Some((id, 0));
        } else {
            self.place(id, 0);
        }
    }

    /// Removes a subscriber; returns its demand, or `None` for an unknown one.
    pub(super) fn remove(&mut self, id: SubscriptionId) -> Option<usize> {
        if let Some((_, demand)) = self.only.take_if(|(only, _)| *only == id) {
            return Some(demand);
        }
        let Reverse(demand) = self.ranks.remove(&id)?.demand;
        if self.ranks.len() == 1 {
            let last = self.ranks.drain().next();
            self.only = last.map(|(id, rank)| (id, rank.demand.0));
            self.order.clear();
        }
        Some(demand)
    }

    /// Adds `by` to the demand of a subscriber and moves it behind those with
    /// the same demand. Returns the actual rise, as demand saturates; `None`
    /// for an unknown subscriber.
    #[inline]
    pub(super) fn raise(&mut self, id: SubscriptionId, by: usize) -> Option<usize> {
        if let Some((only, demand)) = &mut self.only {
            if *only != id {
                return None;
            }
            let before = std::mem::replace(demand, demand.saturating_add(by));
            return Some(*demand - before);
        }
        let (before, now) = self.change(id, |demand| demand.saturating_add(by))?;
        Some(now - before)
    }

    /// Takes `count` from the demand of the only subscriber, if there is only
    /// one and its demand is at least `count`.
    #[inline]
    pub(super) fn serve_only(&mut self, count: usize) -> Option<SubscriptionId> {
        let (id, demand) = self.only.as_mut()?;
        *demand = demand.checked_sub(count)?;
        Some(*id)
    }

    /// Takes up to `most` from the demand of the first subscriber and moves it
    /// behind those with the same remaining demand. Returns the subscriber and
    /// the number taken; `None` if no subscriber has demand.
    #[inline]
    pub(super) fn serve_first(&mut self, most: usize) -> Option<(SubscriptionId, usize)> {
        if let Some((id, demand)) = &mut self.only {
            let served = most.min(*demand);
            *demand -= served;
            return (served > 0).then_some((*id, served));
        }
        self.serve_first_of_many(most)
    }

    fn serve_first_of_many(&mut self, most: usize) -> Option<(SubscriptionId, usize)> {
        loop {
            let mut first = self.order.peek_mut()?;
            let Reverse((rank, id)) = *first;
            let Some(current) = self.ranks.get_mut(&id).filter(|current| **current == rank) else {
                PeekMut::pop(first);
                continue;
            };
            let served = most.min(rank.demand.0);
            *current = self.turns.rank(rank.demand.0 - served);
            if current.demand.0 > 0 {
                *first = Reverse((*current, id));
            } else {
                PeekMut::pop(first);
            }
            return Some((id, served));
        }
    }

    /// Takes up to `most` from the demand of subscriber `id` and moves it
    /// behind those with the same remaining demand. Returns the number taken.
    pub(super) fn serve(&mut self, id: SubscriptionId, most: usize) -> usize {
        if let Some((only, _)) = self.only {
            return match self.serve_first(most) {
                Some((_, served)) if only == id => served,
                _ => 0,
            };
        }
        self.change(id, |demand| demand - most.min(demand))
            .map_or(0, |(before, now)| before - now)
    }

    /// Returns all subscribers in the order in which they are served.
    pub(super) fn in_order(&self) -> Vec<SubscriptionId> {
        let mut order: Vec<(Rank, SubscriptionId)> =
            self.ranks.iter().map(|(&id, &rank)| (rank, id)).collect();
        order.sort_unstable();
        let only = self.only.map(|(id, _)| id);
        only.into_iter()
            .chain(order.into_iter().map(|(_, id)| id))
            .collect()
    }

    /// Assigns a rank behind those with the same demand. For more than one
    /// subscriber.
    fn place(&mut self, id: SubscriptionId, demand: usize) {
        let rank = self.turns.rank(demand);
        self.ranks.insert(id, rank);
        self.enter(rank, id);
    }

    /// Changes the demand of a subscriber, and with it its rank; returns the
    /// demand before and after. For more than one subscriber.
    fn change(
        &mut self,
        id: SubscriptionId,
        change: impl FnOnce(usize) -> usize,
    ) -> Option<(usize, usize)> {
        let rank = self.ranks.get_mut(&id)?;
        let Reverse(before) = rank.demand;
        let now = change(before);
        *rank = self.turns.rank(now);
        let rank = *rank;
        self.enter(rank, id);
        Some((before, now))
    }

    fn enter(&mut self, rank: Rank, id: SubscriptionId) {
        if self.order.len() > 2 * self.ranks.len() + SPARE_ENTRIES {
            self.sweep();
        }
        // A subscriber without demand is never served.
        if rank.demand.0 > 0 {
            self.order.push(Reverse((rank, id)));
        }
    }

    /// Removes outdated entries.
    fn sweep(&mut self) {
        let ranks = &self.ranks;
        self.order
            .retain(|Reverse((rank, id))| ranks.get(id) == Some(rank) && rank.demand.0 > 0);
    }
}
