//! [`Retry`]: how often a message is delivered, and how long it waits in between.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// How often a message is tried, and how long it waits between two deliveries.
///
/// | setting | default |
/// |---|---|
/// | [`max_deliveries`](Self::max_deliveries) | 5 |
/// | [`attempts`](Self::attempts) within one delivery | 1 |
/// | [`backoff`](Self::backoff): first and longest delay | 100 ms and 30 s |
/// | [`factor`](Self::factor) | 2 |
/// | jitter | on |
///
/// The setters take any value, and [`validate`](Self::validate) refuses the ones
/// that make no sense. A `Retry` that was not validated does not panic, and does
/// not return a delay of zero: it moves its values into their ranges.
///
/// ```
/// use std::time::Duration;
/// use stage_pipeline::policy::Retry;
///
/// let retry = Retry::default().without_jitter().factor(2.0);
/// assert_eq!(retry.delay(1), Duration::from_millis(100));
/// assert_eq!(retry.delay(60), Duration::from_secs(30));
/// assert!(!retry.is_exhausted(4));
/// assert!(retry.is_exhausted(5));
/// # retry.validate().unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// `None` for no limit.
    max_deliveries: Option<u32>,
    attempts: u32,
    first: Duration,
    longest: Duration,
    factor: f32,
    jitter: bool,
    /// Set only by `without_delay`, so that no other setting means "at once".
    at_once: bool,
}

impl Retry {
    /// The shortest first delay. Timers have no finer resolution than this.
    pub const SHORTEST_DELAY: Duration = Duration::from_millis(1);
    /// The longest delay.
    pub const LONGEST_DELAY: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    /// The smallest factor that is not 1. A smaller one takes thousands of
    /// deliveries to reach the longest delay.
    pub const SMALLEST_FACTOR: f32 = 1.01;

    /// Returns a policy of one delivery and one attempt: a message that fails is
    /// exhausted at once.
    #[must_use]
    pub fn never() -> Self {
        Self::default().max_deliveries(1)
    }

    /// Returns the default policy without a limit on deliveries: no message is
    /// ever exhausted.
    #[must_use]
    pub fn forever() -> Self {
        Self {
            max_deliveries: None,
            ..Self::default()
        }
    }

    /// Sets how often a message is delivered at most, the first delivery included.
    /// At least 1; the default is 5.
    #[must_use]
    pub const fn max_deliveries(mut self, deliveries: u32) -> Self {
        self.max_deliveries = Some(deliveries);
        self
    }

    /// Sets how often the handler is called at most within one delivery. At least
    /// 1; the default is 1.
    #[must_use]
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the delay after the first failed delivery and the longest delay. The
    /// first is at least 1 ms, and the longest is between the first and 365 days;
    /// the defaults are 100 ms and 30 s.
    #[must_use]
    pub const fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.first = first;
        self.longest = longest;
        self.at_once = false;
        self
    }

    /// Sets the factor from one delay to the next: 1 for a constant delay, or at
    /// least 1.01. The default is 2.
    #[must_use]
    pub const fn factor(mut self, factor: f32) -> Self {
        self.factor = factor;
        self
    }

    /// Turns the jitter off: the delays are exactly `first * factor^(n - 1)`. Many
    /// messages that fail together then come back together.
    #[must_use]
    pub const fn without_jitter(mut self) -> Self {
        self.jitter = false;
        self
    }

    /// Retries at once. A message that fails without end then keeps its handler
    /// busy without end; use it with a small
    /// [`max_deliveries`](Self::max_deliveries).
    #[must_use]
    pub const fn without_delay(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// Returns how long a message waits after failed delivery number `attempt`,
    /// which counts from 1. 0 is taken for 1.
    ///
    /// With jitter it is a random duration between half the delay and the delay,
    /// so the longest delay is a limit with jitter, too.
    ///
    /// Source: exponential backoff with "equal jitter", Marc Brooker, *Exponential
    /// Backoff And Jitter*, AWS Architecture Blog, 2015.
    #[must_use]
    pub fn delay(&self, attempt: u32) -> Duration {
        self.delay_seeded(attempt, fastrand::u64(..))
    }

    /// Returns what [`delay`](Self::delay) does, with the random part taken from
    /// `seed`: the same arguments return the same delay.
    #[must_use]
    pub fn delay_seeded(&self, attempt: u32, seed: u64) -> Duration {
        if self.at_once {
            return Duration::ZERO;
        }
        let first = self.first.clamp(Self::SHORTEST_DELAY, Self::LONGEST_DELAY);
        let longest = self.longest.clamp(first, Self::LONGEST_DELAY);
        let factor = if self.factor >= Self::SMALLEST_FACTOR {
            self.factor
        } else {
            1.0
        };
        // The jitter of `backon` adds up to the delay itself, so half of the delay
        // makes it end at the delay.
        let parts = if self.jitter { 2 } else { 1 };
        let mut delays = ExponentialBuilder::new()
            .with_factor(factor)
            .with_min_delay(first / parts)
            .with_max_delay(longest / parts)
            .without_max_times();
        if self.jitter {
            // Without a seed of its own, and without its feature `std`, `backon`
            // uses one fixed seed for all.
            delays = delays.with_jitter().with_jitter_seed(seed);
        }
        let step = attempt.saturating_sub(1).min(steps(first, longest, factor));
        let delay = delays.build().nth(step as usize);
        delay.unwrap_or(longest).min(longest)
    }

    /// Returns whether a message that has failed, and was delivered `deliveries`
    /// times, is given up.
    #[must_use]
    pub fn is_exhausted(&self, deliveries: u32) -> bool {
        self.max_deliveries.is_some_and(|max| deliveries >= max)
    }

    /// Returns whether delivery number `delivery`, which counts from 1, may be
    /// handled. A source asks this when it has leased a message: a message that
    /// ends the process in each delivery fails in none of them.
    #[must_use]
    pub fn may_deliver(&self, delivery: u32) -> bool {
        self.max_deliveries.is_none_or(|max| delivery <= max)
    }

    /// Returns whether a message can be exhausted at all. If so, the pipeline needs
    /// a place for dead letters.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.max_deliveries.is_some()
    }

    /// Returns how often the handler is called at most within one delivery; at
    /// least 1.
    #[must_use]
    pub fn attempts_in_place(&self) -> u32 {
        self.attempts.max(1)
    }

    /// Checks all settings.
    ///
    /// # Errors
    ///
    /// A [`RetryError`] names the first setting that is out of its range.
    pub fn validate(&self) -> Result<(), RetryError> {
        if self.max_deliveries == Some(0) {
            return Err(RetryError::MaxDeliveries);
        }
        if self.attempts == 0 {
            return Err(RetryError::Attempts);
        }
        if self.at_once {
            return Ok(());
        }
        if self.first < Self::SHORTEST_DELAY {
            return Err(RetryError::First { first: self.first });
        }
        if self.longest < self.first || self.longest > Self::LONGEST_DELAY {
            return Err(RetryError::Longest {
                first: self.first,
                longest: self.longest,
            });
        }
        let grows = self.factor >= Self::SMALLEST_FACTOR && self.factor.is_finite();
        // Exactly 1 is a setting of its own, not the result of a computation.
        if !grows && self.factor.to_bits() != 1.0_f32.to_bits() {
            return Err(RetryError::Factor {
                factor: self.factor,
            });
        }
        Ok(())
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_deliveries: Some(5),
            attempts: 1,
            first: Duration::from_millis(100),
            longest: Duration::from_secs(30),
            factor: 2.0,
            jitter: true,
            at_once: false,
        }
    }
}

/// Returns the number of steps from `first` to `longest`, so that a delay is found
/// in that many steps however often the message was delivered.
fn steps(first: Duration, longest: Duration, factor: f32) -> u32 {
    let ratio = longest.as_secs_f64() / first.as_secs_f64();
    let steps = (ratio.ln() / f64::from(factor).ln()).ceil();
    // A factor of 1 makes it infinite or not a number: the delay never changes.
    if steps.is_finite() {
        steps as u32 + 1
    } else {
        0
    }
}

/// A setting of [`Retry`] that is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RetryError {
    /// A message would never be delivered.
    #[error(
        "max_deliveries is 0, but must be 1 or more: use 1 for no retry, or \
         Retry::forever() for no limit"
    )]
    MaxDeliveries,
    /// The handler would never be called.
    #[error("attempts is 0, but must be 1 or more: use 1 for no second try in place")]
    Attempts,
    /// The first delay is too short.
    #[error(
        "the first delay of the backoff is {first:?}, but must be 1ms or more: use \
         without_delay() to retry at once"
    )]
    First {
        /// The first delay.
        first: Duration,
    },
    /// The longest delay is shorter than the first one, or too long.
    #[error(
        "the longest delay of the backoff is {longest:?}, but must be between the first \
         delay, which is {first:?}, and 365 days: raise the longest or lower the first"
    )]
    Longest {
        /// The first delay.
        first: Duration,
        /// The longest delay.
        longest: Duration,
    },
    /// The factor does not make the delays longer.
    #[error(
        "the factor of the backoff is {factor}, but must be 1, or a number of 1.01 or \
         more: use 1 for a constant delay"
    )]
    Factor {
        /// The factor.
        factor: f32,
    },
}
