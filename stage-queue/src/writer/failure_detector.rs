//! [`FailureDetector`]: finds processes that have died, or hang.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::store::Owner;

/// Watches the heartbeats of other processes.
///
/// It compares heartbeats with each other, and not with a clock: an owner whose heartbeat has
/// not changed for its timeout, by the monotonic clock of whoever watches, has stopped. A
/// wall clock that jumps, in whichever process, changes nothing.
#[derive(Debug, Default)]
pub(super) struct FailureDetector {
    seen: HashMap<i64, (i64, Instant)>,
}

impl FailureDetector {
    /// Returns those of `owners` whose leases end now. `ended` says whether the process of an
    /// owner is known to have ended.
    pub(super) fn observe(
        &mut self,
        owners: Vec<Owner>,
        now: Instant,
        mut ended: impl FnMut(&Owner) -> bool,
    ) -> Vec<Owner> {
        self.seen
            .retain(|known, _| owners.iter().any(|owner| owner.owner == *known));
        let mut dead = Vec::new();
        for owner in owners {
            let (beat, since) = self.seen.entry(owner.owner).or_insert((owner.beat, now));
            if *beat != owner.beat {
                (*beat, *since) = (owner.beat, now);
            }
            let timeout = Duration::from_millis(owner.timeout_ms.max(0).unsigned_abs());
            if now.saturating_duration_since(*since) >= timeout || ended(&owner) {
                dead.push(owner);
            }
        }
        dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(beat: i64) -> Owner {
        Owner {
            owner: 7,
            node: "n".into(),
            beat,
            timeout_ms: 1_000,
        }
    }

    #[test]
    fn an_owner_is_dead_when_its_heartbeat_has_stood_still_for_its_timeout() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut failures = FailureDetector::default();
        let alive = |_: &Owner| false;
        assert!(failures.observe(vec![owner(1)], at(0), alive).is_empty());
        assert!(failures.observe(vec![owner(1)], at(999), alive).is_empty());
        // A heartbeat starts the count again.
        assert!(
            failures
                .observe(vec![owner(2)], at(1_000), alive)
                .is_empty()
        );
        assert!(
            failures
                .observe(vec![owner(2)], at(1_999), alive)
                .is_empty()
        );
        assert_eq!(
            failures.observe(vec![owner(2)], at(2_000), alive),
            [owner(2)]
        );
    }

    #[test]
    fn an_owner_whose_process_has_ended_is_dead_at_once() {
        let mut failures = FailureDetector::default();
        assert_eq!(
            failures.observe(vec![owner(1)], Instant::now(), |_| true),
            [owner(1)]
        );
    }

    #[test]
    fn an_owner_that_has_gone_is_forgotten() {
        let start = Instant::now();
        let mut failures = FailureDetector::default();
        failures.observe(vec![owner(1)], start, |_| false);
        failures.observe(vec![], start, |_| false);
        let later = start + Duration::from_secs(5);
        assert!(
            failures
                .observe(vec![owner(1)], later, |_| false)
                .is_empty()
        );
        assert_eq!(failures.seen.len(), 1);
    }
}
