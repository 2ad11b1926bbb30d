//! Which children are started again, and how often.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// What happens when a child fails: returns an error or panics.
///
/// | | returned `Ok` | failed | stopped |
/// |---|---|---|---|
/// | `Transient` | | started again, with the same event | |
/// | `Temporary` | | counted and traced | |
///
/// Source: the `:restart` value of a child in `ConsumerSupervisor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ChildRestart {
    /// Started again whatever happens. For other supervisors: a child per
    /// event ends when its event is done, so this is refused, with
    /// [`PerEventError::PermanentRestart`](super::PerEventError::PermanentRestart).
    Permanent,
    /// Started again at once when it fails, with a clone of its event.
    Transient,
    /// Never started again. The default.
    #[default]
    Temporary,
}

/// How many restarts there may be in a span of time, over all children.
#[derive(Debug)]
pub(super) struct Intensity {
    pub(super) max_restarts: usize,
    pub(super) within: Duration,
    /// The restarts that still count, the oldest first.
    recent: VecDeque<Instant>,
}

impl Intensity {
    /// Notes a restart at `now`; says whether it was one too many.
    pub(super) fn is_exceeded_by_one(&mut self, now: Instant) -> bool {
        self.recent.push_back(now);
        while let Some(first) = self.recent.front() {
            if now.saturating_duration_since(*first) <= self.within {
                break;
            }
            self.recent.pop_front();
        }
        self.recent.len() > self.max_restarts
    }
}

impl Default for Intensity {
    fn default() -> Self {
        Self {
            max_restarts: 3,
            within: Duration::from_secs(5),
            recent: VecDeque::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Instant, Intensity};
    use std::time::Duration;

    #[test]
    fn only_restarts_within_the_span_count() {
        let mut intensity = Intensity::default();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        for millis in [0, 1000, 2000] {
            assert!(!intensity.is_exceeded_by_one(at(millis)));
        }
        // The first is 5.001 s old now.
        assert!(!intensity.is_exceeded_by_one(at(5001)));
        // The second is 5 s old, which still counts.
        assert!(intensity.is_exceeded_by_one(at(6000)));
    }

    #[test]
    fn no_restart_is_allowed_where_none_is() {
        let mut intensity = Intensity {
            max_restarts: 0,
            ..Intensity::default()
        };
        assert!(intensity.is_exceeded_by_one(Instant::now()));
    }
}
