//! How far each subscriber of a broadcast has asked.

use std::collections::BTreeSet;

use stage_core::SubscriptionId;

/// The demand of all subscribers, each kept as a *mark*: the number of events
/// dispatched, ever, at which it is used up.
///
/// Kept like this, a dispatch moves one counter and not one of each
/// subscriber, and the subscriber that holds the others up is the first.
#[derive(Debug, Default)]
pub(super) struct Marks {
    dispatched: u128,
    ordered: BTreeSet<(u128, SubscriptionId)>,
}

impl Marks {
    pub(super) const fn new() -> Self {
        Self {
            dispatched: 0,
            ordered: BTreeSet::new(),
        }
    }

    /// Adds a subscriber without demand; returns its mark.
    pub(super) fn insert(&mut self, id: SubscriptionId) -> u128 {
        self.ordered.insert((self.dispatched, id));
        self.dispatched
    }

    pub(super) fn remove(&mut self, id: SubscriptionId, mark: u128) {
        self.ordered.remove(&(mark, id));
    }

    /// Adds `demand` to a subscriber's mark. What is pending of it saturates
    /// at `usize::MAX`.
    pub(super) fn raise(&mut self, id: SubscriptionId, mark: &mut u128, demand: usize) {
        self.ordered.remove(&(*mark, id));
        *mark = (*mark + demand as u128).min(self.dispatched + usize::MAX as u128);
        self.ordered.insert((*mark, id));
    }

    /// Moves `count` events past every subscriber.
    pub(super) const fn advance(&mut self, count: usize) {
        self.dispatched += count as u128;
    }

    /// The subscriber that keeps others, who have demand, from getting events.
    pub(super) fn slowest(&self) -> Option<SubscriptionId> {
        let &(least, id) = self.ordered.first()?;
        let &(most, _) = self.ordered.last()?;
        (least == self.dispatched && most > least).then_some(id)
    }

    /// How many events every subscriber has demand for; 0 when there is none.
    pub(super) fn open(&self) -> u128 {
        self.ordered
            .first()
            .map_or(0, |(mark, _)| mark - self.dispatched)
    }
}
