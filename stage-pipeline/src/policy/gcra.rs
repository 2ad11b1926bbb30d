//! [`Gcra`]: decides how many of those who wait may go now.

use std::time::{Duration, Instant};

use super::Rate;

/// Why no permit was granted, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The next permit is there after this time, unless another taker is first.
    For(Duration),
    /// The rate is [closed](Rate::closed): there is no permit until it changes.
    Closed,
}

impl Wait {
    /// Returns the time to wait; `None` if the rate is closed.
    #[must_use]
    pub const fn duration(self) -> Option<Duration> {
        match self {
            Self::For(wait) => Some(wait),
            Self::Closed => None,
        }
    }
}

/// A rate limit for one taker. It answers "as many of `want` as may go now".
///
/// It begins full: a burst may go at once. It computes in whole numbers, so that no
/// permit is lost or won to rounding. A clock that stands still or goes back grants
/// nothing; one that jumps ahead grants a burst at most.
///
/// ```
/// use std::time::{Duration, Instant};
/// use stage_pipeline::policy::{Gcra, Rate, Wait};
///
/// let start = Instant::now();
/// let mut limit = Gcra::new(Rate::per_second(10), start);
/// assert_eq!(limit.take(start, 37), Ok(10));
/// assert_eq!(limit.take(start, 27), Err(Wait::For(Duration::from_millis(100))));
/// assert_eq!(limit.take(start + Duration::from_millis(250), 27), Ok(2));
/// ```
///
/// Source: the generic cell rate algorithm in its form as a leaky bucket, ITU-T
/// Recommendation I.371, annex A.
#[derive(Clone, Debug)]
pub struct Gcra {
    rate: Rate,
    /// The rate from the next known time on.
    next: Option<Rate>,
    /// What was taken and has not come back with time. One permit is
    /// `rate.per` in nanoseconds, and `rate.permits` come back each nanosecond.
    taken: u128,
    /// The latest time that was seen.
    at: Instant,
}

impl Gcra {
    /// Returns a full limit.
    #[must_use]
    pub const fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            next: None,
            taken: 0,
            at: now,
        }
    }

    /// Takes as many permits as there are, at most `want`: returns between 1 and
    /// `want`, or 0 if `want` is 0.
    ///
    /// # Errors
    ///
    /// A [`Wait`] if there is not one permit. `Wait::For` is exact: a nanosecond
    /// less would be too early.
    pub fn take(&mut self, now: Instant, want: usize) -> Result<usize, Wait> {
        self.advance(now);
        let speed = u128::from(self.rate.permits());
        if speed == 0 {
            return Err(Wait::Closed);
        }
        let permit = permit(self.rate);
        let free = capacity(self.rate).saturating_sub(self.taken);
        let wanted = (want as u128).saturating_mul(permit);
        let granted = if wanted <= free {
            want
        } else if free >= permit {
            // Less than `want`.
            (free / permit) as usize
        } else {
            let nanos = (permit - free).div_ceil(speed);
            return Err(Wait::For(nanoseconds(nanos)));
        };
        self.taken += granted as u128 * permit;
        Ok(granted)
    }

    /// Gives permits back that were taken and not used.
    pub fn give_back(&mut self, permits: usize) {
        let returned = (permits as u128).saturating_mul(permit(self.rate));
        self.taken = self.taken.saturating_sub(returned);
    }

    /// Changes the rate from `now` on. The permits that are there stay, up to the
    /// new burst, and none is added: in a window around the change at most the burst
    /// of its beginning is granted, and what each rate grants in its part of the
    /// window. Closing a limit takes all its permits away.
    pub fn set(&mut self, now: Instant, rate: Rate) {
        self.advance(now);
        self.switch(rate);
    }

    /// Changes the rate without knowing the time. From the last call with a time to
    /// the next one permits come back at the slower of both rates, so that the limit
    /// of [`set`](Self::set) holds.
    pub fn set_untimed(&mut self, rate: Rate) {
        self.switch(self.rate.slower(rate));
        self.next = Some(rate);
    }

    /// Returns the rate.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.next.unwrap_or(self.rate)
    }

    /// Returns whether a whole burst is there at `now`. Such a limit is the same as
    /// a new one. A closed limit is never full.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.advance(now);
        self.taken == 0 && !self.rate.is_closed()
    }

    fn advance(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_nanos();
        let come_back = elapsed.saturating_mul(u128::from(self.rate.permits()));
        self.taken = self.taken.saturating_sub(come_back);
        self.at = self.at.max(now);
        if let Some(rate) = self.next.take() {
            self.switch(rate);
        }
    }

    /// Keeps the permits that are there, up to the burst of `rate`.
    fn switch(&mut self, rate: Rate) {
        let free = capacity(self.rate).saturating_sub(self.taken);
        // Fits: a burst has 32 bits, and a period of 24 h has 47, twice.
        let free = free * permit(rate) / permit(self.rate);
        self.taken = capacity(rate).saturating_sub(free);
        self.rate = rate;
    }
}

fn permit(rate: Rate) -> u128 {
    rate.per().as_nanos()
}

fn capacity(rate: Rate) -> u128 {
    u128::from(rate.burst()) * permit(rate)
}

fn nanoseconds(nanos: u128) -> Duration {
    u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
}
