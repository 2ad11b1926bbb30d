//! The restart policy of a supervised stage, and its exponential backoff.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use crate::restart_window::{MAX_RESTARTS, RestartWindow, WITHIN};

/// When a [`supervised`](crate::supervised) stage restarts with a new state, and how
/// often: a policy.
///
/// | option | default |
/// |---|---|
/// | when | [`on_failure`](Restart::on_failure) |
/// | [`max_restarts`](Restart::max_restarts) | 3 |
/// | [`within`](Restart::within) | 5 s |
/// | [`backoff`](Restart::backoff) | exponential from 10 ms to 1 s, with jitter |
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
/// There the intensity belongs to the supervisor; here each stage has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart {
    when: When,
    max_restarts: usize,
    within: Duration,
    first_delay: Duration,
    longest_delay: Duration,
}

/// The cases in which a stage restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Never,
    OnFailure,
    Always,
}

impl Restart {
    /// Never restarts the stage. Its failure does not stop its pipeline.
    #[must_use]
    pub const fn never() -> Self {
        Self::new(When::Never)
    }

    /// Restarts the stage when one of its handlers returned an error or panicked. The
    /// default.
    #[must_use]
    pub const fn on_failure() -> Self {
        Self::new(When::OnFailure)
    }

    /// Restarts the stage also when it has completed by calling
    /// [`Context::complete`](stage_core::Context::complete), but not when it was
    /// stopped or drained, or when its producers have ended.
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

    /// Sets the most restarts in any period of the length [`within`](Self::within):
    /// one more failure ends the stage for good. 0 never restarts it, and its failure
    /// stops the pipeline.
    #[must_use]
    pub const fn max_restarts(mut self, restarts: usize) -> Self {
        self.max_restarts = restarts;
        self
    }

    /// Sets the period over which restarts are counted.
    #[must_use]
    pub const fn within(mut self, period: Duration) -> Self {
        self.within = period;
        self
    }

    /// Sets an exponential backoff: the delay before the first restart, and the longest
    /// delay.
    ///
    /// The delay doubles with each restart in the period. A random jitter of up to the
    /// same length is added, so that many stages that failed together do not restart
    /// together. `Duration::ZERO` twice restarts without a delay.
    #[must_use]
    pub const fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.first_delay = first;
        self.longest_delay = longest;
        self
    }

    /// Whether the policy is [`never`](Self::never).
    pub(crate) const fn is_never(&self) -> bool {
        matches!(self.when, When::Never)
    }

    /// Whether a stage that has completed of its own accord restarts, too.
    pub(crate) const fn after_completion(&self) -> bool {
        matches!(self.when, When::Always)
    }

    /// Returns the delays of the backoff, from the first.
    fn delays(&self) -> ExponentialBackoff {
        // Longer delays could overflow the arithmetic of `backon`.
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

/// The restart policy of one stage, with its restarts so far.
#[derive(Debug)]
pub(crate) struct Restarts {
    pub(crate) policy: Restart,
    window: RestartWindow,
    /// The delays that are left; starts again after a period without restarts.
    delays: ExponentialBackoff,
}

impl Restarts {
    /// Makes the record of a stage that was never restarted.
    pub(crate) fn new(policy: Restart) -> Self {
        Self {
            policy,
            window: RestartWindow::new(policy.max_restarts, policy.within),
            delays: policy.delays(),
        }
    }

    /// Counts a restart at `now` and returns the delay before it. `None` if the policy
    /// forbids it or there were too many.
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
    fn stages_that_failed_together_restart_apart() {
        let now = Instant::now();
        let delay = |_| Restarts::new(Restart::on_failure()).next(now);
        let delays: std::collections::HashSet<_> = (0..20).filter_map(delay).collect();
        assert!(delays.len() > 10, "{delays:?}");
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
