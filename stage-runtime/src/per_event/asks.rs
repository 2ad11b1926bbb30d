//! The demand of a subscription: when to ask for more events. Plain arithmetic.

use stage_core::DemandLimits;

/// The demand of one subscription, one event for each child.
///
/// Invariant: `running`, `owed` and the pending demand add up to `max_demand`.
#[derive(Debug)]
pub(super) struct Asks {
    limits: DemandLimits,
    /// Children that run for events of this subscription.
    running: usize,
    /// Children that have ended and whose replacements have not been asked for.
    owed: usize,
}

impl Asks {
    /// Makes the asks of a new subscription, which has asked for `max_demand` events.
    pub(super) const fn new(limits: DemandLimits) -> Self {
        Self {
            limits,
            running: 0,
            owed: 0,
        }
    }

    /// Counts children that are about to start.
    pub(super) const fn started(&mut self, count: usize) {
        self.running = self.running.saturating_add(count);
    }

    /// Counts a child that has ended.
    pub(super) const fn ended(&mut self) {
        // More than `max_demand` children run if the user asked for additional events,
        // which are not asked for again.
        if self.running <= self.limits.max() {
            self.owed += 1;
        }
        self.running = self.running.saturating_sub(1);
    }

    /// Returns the number of events that can still arrive before a child ends.
    pub(super) const fn vacant(&self) -> usize {
        self.limits.max().saturating_sub(self.running)
    }

    /// Takes the demand to send now; 0 for none.
    pub(super) const fn due(&mut self) -> usize {
        if self.owed >= self.limits.min() {
            std::mem::replace(&mut self.owed, 0)
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Asks;
    use stage_core::DemandLimits;

    fn asks(max: usize, min: usize) -> Asks {
        Asks::new(DemandLimits::new(max, min).unwrap())
    }

    #[test]
    fn asks_when_min_have_ended() {
        let mut asks = asks(3, 2);
        asks.started(3);
        asks.ended();
        assert_eq!(asks.due(), 0);
        asks.ended();
        assert_eq!(asks.due(), 2);
        assert_eq!(asks.due(), 0);
        asks.ended();
        assert_eq!(asks.due(), 0);
    }

    #[test]
    fn a_min_of_0_asks_after_each_end_and_never_for_nothing() {
        let mut asks = asks(3, 0);
        assert_eq!(asks.due(), 0);
        asks.started(2);
        assert_eq!(asks.due(), 0);
        asks.ended();
        assert_eq!(asks.due(), 1);
        asks.ended();
        assert_eq!(asks.due(), 1);
    }

    #[test]
    fn ends_that_come_together_are_asked_for_together() {
        let mut asks = asks(10, 2);
        asks.started(10);
        (0..7).for_each(|_| asks.ended());
        assert_eq!(asks.due(), 7);
    }

    #[test]
    fn what_was_asked_for_beyond_max_is_not_asked_for_again() {
        let mut asks = asks(2, 0);
        asks.started(5);
        let demand: usize = (0..5)
            .map(|_| {
                asks.ended();
                asks.due()
            })
            .sum();
        assert_eq!(demand, 2);
    }
}
