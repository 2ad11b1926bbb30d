//! [`Rate`]: so many permits in such a time.

use std::fmt;
use std::time::Duration;

/// A rate: `permits` in each `per`, with a `burst` that may go at once.
///
/// In any window of length `t` at most `burst + permits * t / per` permits are
/// granted. The burst is `permits` unless set, so a window of `per` can see twice
/// `permits`, once after a pause. A burst of 1 spreads the permits evenly.
///
/// ```
/// use std::time::Duration;
/// use stage_pipeline::policy::Rate;
///
/// let rate = Rate::new(600, Duration::from_secs(60))?.with_burst(10)?;
/// assert_eq!(rate.to_string(), "600 per 60s, burst 10");
/// assert!(Rate::new(1, Duration::ZERO).is_err());
/// # Ok::<(), stage_pipeline::policy::RateError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    permits: u32,
    per: Duration,
    burst: u32,
}

impl Rate {
    /// The longest period.
    pub const LONGEST_PERIOD: Duration = Duration::from_secs(24 * 60 * 60);

    /// Returns a rate of `permits` in each `per`, with a burst of `permits`. A rate
    /// of 0 permits is [`closed`](Self::closed).
    ///
    /// # Errors
    ///
    /// [`RateError::Period`] unless `per` is between 1 ns and 24 h.
    pub const fn new(permits: u32, per: Duration) -> Result<Self, RateError> {
        if per.is_zero() || per.as_nanos() > Self::LONGEST_PERIOD.as_nanos() {
            return Err(RateError::Period { per });
        }
        Ok(Self {
            permits,
            per,
            burst: permits,
        })
    }

    /// Returns a rate of `permits` in each second.
    #[must_use]
    pub const fn per_second(permits: u32) -> Self {
        Self {
            permits,
            per: Duration::from_secs(1),
            burst: permits,
        }
    }

    /// Returns the rate that grants nothing. A limit with this rate is closed until
    /// it is changed, and is empty when it opens.
    #[must_use]
    pub const fn closed() -> Self {
        Self::per_second(0)
    }

    /// Sets how many permits may be taken at once after a pause.
    ///
    /// # Errors
    ///
    /// [`RateError::Burst`] if `burst` is 0 and the rate is not closed. A closed
    /// rate has a burst of 0, and keeps it.
    pub const fn with_burst(mut self, burst: u32) -> Result<Self, RateError> {
        if self.permits == 0 {
            return Ok(self);
        }
        if burst == 0 {
            return Err(RateError::Burst {
                permits: self.permits,
            });
        }
        self.burst = burst;
        Ok(self)
    }

    /// Returns the permits of each period.
    #[must_use]
    pub const fn permits(&self) -> u32 {
        self.permits
    }

    /// Returns the period.
    #[must_use]
    pub const fn per(&self) -> Duration {
        self.per
    }

    /// Returns how many permits may be taken at once after a pause.
    #[must_use]
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// Returns the rate that grants no more than either, in a burst or over time.
    pub(super) fn slower(self, other: Self) -> Self {
        let permits = |rate: Self, per: Duration| u128::from(rate.permits) * per.as_nanos();
        let slower = if permits(self, other.per) <= permits(other, self.per) {
            self
        } else {
            other
        };
        Self {
            burst: self.burst.min(other.burst),
            ..slower
        }
    }

    /// Returns whether the rate grants nothing.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.permits == 0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            permits,
            per,
            burst,
        } = self;
        if self.is_closed() {
            return f.write_str("closed");
        }
        write!(f, "{permits} per {per:?}, burst {burst}")
    }
}

/// A value that makes no [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RateError {
    /// The period is zero or too long.
    #[error(
        "the period of the rate is {per:?}, but must be between 1ns and 24h: give the \
         time in which the permits are granted, such as one second"
    )]
    Period {
        /// The period.
        per: Duration,
    },
    /// A burst of zero would never grant a permit.
    #[error(
        "the burst of a rate of {permits} permits is 0, but must be 1 or more: use \
         Rate::closed() to grant nothing"
    )]
    Burst {
        /// The permits of the rate.
        permits: u32,
    },
}
