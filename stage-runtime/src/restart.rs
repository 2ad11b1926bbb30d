//! When a stage that failed is started over, and how often.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use crate::restart_window::{MAX_RESTARTS, RestartWindow, WITHIN};

/// When a [`supervised`](crate::supervised) stage starts over with a new
/// state.
///
/// | option | default |
/// |---|---|
/// | when | [`on_failure`](Restart::on_failure) |
/// | [`max_restarts`](Restart::max_restarts) | 3 |
/// | [`within`](Restart::within) | 5 s |
/// | [`backoff`](Restart::backoff) | from 10 ms, doubling, to 1 s, with jitter |
///
/// ```
/// use std::time::Duration;
/// use stage_runtime::Restart;
///
/// let patient = Restart::on_failure()
///     .max_restarts(10)
///     .within(Duration::from_secs(60))
///     .backoff(Duration::from_millis(100), Duration::from_secs(10));
/// ```
///
/// Source: the restart values and the restart intensity of OTP's supervisors.
/// There the intensity is that of the supervisor; here it is each stage's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart {
    when: When,
    max_restarts: usize,
    within: Duration,
    first_delay: Duration,
    longest_delay: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Never,
    OnFailure,
    Always,
}

impl Restart {
    /// The stage is not restarted, and may fail without taking its pipeline
    /// down.
    #[must_use]
    pub const fn never() -> Self {
        Self::new(When::Never)
    }

    /// The stage is restarted when one of its handlers returned an error or
    /// panicked. The default.
    #[must_use]
    pub const fn on_failure() -> Self {
        Self::new(When::OnFailure)
    }

    /// The stage is restarted as well when it said that it is complete, by
    /// [`Context::complete`](stage_core::Context::complete). A stage that was
    /// stopped or drained, or whose producers have ended, is not.
    #[must_use]
    pub const fn always() -> Self {
        Self::new(When::Always)
    }

    const fn new(when: When) -> Self {
        Self {
            when,
            max_restarts: MAX_RESTARTS,
            within: WITHIN,
            first_delay: Duration::from_millis(10),
            longest_delay: Duration::from_secs(1),
        }
    }

    /// The most restarts in any period of the length [`within`](Self::within):
    /// one more failure ends the stage for good. 0 is the same as never,
    /// except that it takes the pipeline down.
    #[must_use]
    pub const fn max_restarts(mut self, restarts: usize) -> Self {
        self.max_restarts = restarts;
        self
    }

    /// The period over which restarts are counted.
    #[must_use]
    pub const fn within(mut self, period: Duration) -> Self {
        self.within = period;
        self
    }

    /// How long to wait before the first restart, and at most before any.
    /// Between them the wait doubles with each restart in the period, and a
    /// random part of the same length is added, so that many stages that failed
    /// together do not come back together. `Duration::ZERO` twice is no wait.
    #[must_use]
    pub const fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.first_delay = first;
        self.longest_delay = longest;
        self
    }

    pub(crate) const fn is_never(&self) -> bool {
        matches!(self.when, When::Never)
    }

    pub(crate) const fn after_completion(&self) -> bool {
        matches!(self.when, When::Always)
    }

    fn delays(&self) -> ExponentialBackoff {
        // Beyond this the arithmetic of delays could overflow.
        let longest = self
            .longest_delay
            .min(Duration::from_secs(365 * 24 * 60 * 60));
        ExponentialBuilder::default()
            .with_min_delay(self.first_delay.min(longest))
            .with_max_delay(longest)
            .with_jitter()
            .without_max_times()
            .build()
    }
}

impl Default for Restart {
    fn default() -> Self {
        Self::on_failure()
    }
}

/// The restarts of one stage so far.
#[derive(Debug)]
pub(crate) struct Restarts {
    pub(crate) policy: Restart,
    window: RestartWindow,
    delays: ExponentialBackoff,
}

impl Restarts {
    pub(crate) fn new(policy: Restart) -> Self {
        Self {
            policy,
            window: RestartWindow::new(policy.max_restarts, policy.within),
            delays: policy.delays(),
        }
    }

    /// How long to wait before the restart that is due at `now`; `None` if
    /// there were too many.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Duration> {
        if self.window.is_quiet(now) {
            self.delays = self.policy.delays();
        }
        if self.policy.is_never() || self.window.is_exceeded_by_restart(now) {
            return None;
        }
        self.delays.next()
    }
}

#[cfg(test)]
mod tests {
    use super::{Restart, Restarts};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn as_many_restarts_as_allowed_in_any_period() {
        let mut restarts = Restarts::new(Restart::on_failure().max_restarts(2));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(restarts.next(at(0)).is_some());
        assert!(restarts.next(at(4)).is_some());
        assert!(restarts.next(at(5)).is_none());
        assert!(restarts.next(at(6)).is_some(), "the first is forgotten");
        assert!(Restarts::new(Restart::never()).next(start).is_none());
    }

    #[test]
    fn after_a_quiet_period_the_wait_is_short_again() {
        let ms = Duration::from_millis;
        let policy = Restart::on_failure().backoff(ms(10), ms(1000));
        let mut restarts = Restarts::new(policy);
        let start = Instant::now();
        for _ in 0..3 {
            restarts.next(start);
        }
        let later = start + Duration::from_secs(60);
        let delay = restarts.next(later).unwrap();
        assert!(delay <= ms(20), "{delay:?}");
    }

    #[test]
    fn the_wait_grows_up_to_its_bound() {
        let ms = Duration::from_millis;
        let policy = Restart::on_failure()
            .max_restarts(50)
            .backoff(ms(10), ms(40));
        let mut restarts = Restarts::new(policy);
        let now = Instant::now();
        let delays: Vec<_> = (0..50).filter_map(|_| restarts.next(now)).collect();
        assert_eq!(delays.len(), 50);
        assert!(delays[0] >= ms(10) && delays[0] <= ms(20));
        assert!(
            delays[40..]
                .iter()
                .all(|&delay| delay >= ms(40) && delay <= ms(80))
        );
        let none = Restart::on_failure().backoff(Duration::ZERO, Duration::ZERO);
        assert_eq!(Restarts::new(none).next(now), Some(Duration::ZERO));
    }
}
