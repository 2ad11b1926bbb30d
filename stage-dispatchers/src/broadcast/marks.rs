//! [`Marks`]: the demand of the subscribers of a broadcast.

use stage_core::SubscriptionId;

use crate::least::Least;

/// The demand of all subscribers, each stored as a *mark*: the total number of
/// dispatched events at which the demand is used up.
///
/// With marks, a dispatch advances one counter instead of one per subscriber,
/// and the slowest subscriber has the least mark.
#[derive(Debug, Default)]
pub(super) struct Marks {
    dispatched: u128,
    /// By place; [`VACANT`] for a place without a subscriber.
    marks: Least,
    ids: Vec<SubscriptionId>,
    vacant: Vec<usize>,
    /// The highest mark; possibly less if no subscriber has demand.
    most: u128,
}

/// Greater than any mark.
const VACANT: u128 = u128::MAX;

impl Marks {
    pub(super) const fn new() -> Self {
        Self {
            dispatched: 0,
            marks: Least::new(),
            ids: Vec::new(),
            vacant: Vec::new(),
            most: 0,
        }
    }

    /// Adds a subscriber without demand; returns its place.
    pub(super) fn insert(&mut self, id: SubscriptionId) -> usize {
        if let Some(place) = self.vacant.pop() {
            self.ids[place] = id;
            self.marks.set(place, self.dispatched);
            return place;
        }
        self.ids.push(id);
        self.marks.push(self.dispatched)
    }

    pub(super) fn remove(&mut self, place: usize) {
        let mark = self.marks.all()[place];
        self.marks.set(place, VACANT);
        self.vacant.push(place);
        if mark == self.most {
            let others = self.marks.all().iter().filter(|mark| **mark != VACANT);
            self.most = others.max().copied().unwrap_or_default();
        }
    }

    /// Adds `demand` to a subscriber's mark. Its pending demand saturates at
    /// `usize::MAX`.
    pub(super) fn raise(&mut self, place: usize, demand: usize) {
        let mark = self.marks.all()[place] + demand as u128;
        let mark = mark.min(self.dispatched + usize::MAX as u128);
        self.marks.set(place, mark);
        self.most = self.most.max(mark);
    }

    /// Counts `count` events as dispatched to every subscriber.
    pub(super) const fn advance(&mut self, count: usize) {
        self.dispatched += count as u128;
    }

    /// Returns a subscriber without demand for which subscribers with demand
    /// wait, if any.
    pub(super) fn slowest(&self) -> Option<SubscriptionId> {
        let waits = self.marks.least() == self.dispatched && self.most > self.dispatched;
        waits.then(|| self.ids[self.marks.place()])
    }

    /// Returns the number of events that every subscriber has demand for; 0
    /// without subscribers.
    pub(super) fn open(&self) -> u128 {
        match self.marks.least() {
            VACANT => 0,
            mark => mark - self.dispatched,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Marks;
    use stage_core::SubscriptionId;

    /// Otherwise a broadcast with changing subscribers would grow without
    /// bound.
    #[test]
    fn the_place_of_one_who_left_is_given_to_the_next() {
        let mut marks = Marks::new();
        let stays = marks.insert(SubscriptionId::new(0));
        for id in 1..1_000 {
            let place = marks.insert(SubscriptionId::new(id));
            assert_ne!(place, stays);
            marks.remove(place);
        }
        assert_eq!(marks.marks.all().len(), 2);
    }
}
