//! [`Clock`]: the time that a queue goes by.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time that a queue goes by: for delays, deduplication and retention.
///
/// Leases do not depend on it; see [`LeaseOptions`](crate::LeaseOptions).
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns milliseconds since 1970-01-01 00:00 UTC. The value must not decrease.
    fn now_ms(&self) -> i64;
}

/// The default clock. It reads the wall clock once, when the queue is opened, and counts on
/// from there with the monotonic clock.
///
/// If the wall clock jumps while a queue is open, that queue does not notice. Two processes
/// that opened the file before and after a jump differ by that jump: a delay that one of
/// them wrote ends for the other one earlier or later by as much. Nothing is lost, and no
/// lease expires.
#[derive(Debug)]
pub struct SystemClock {
    opened_ms: i64,
    opened: Instant,
}

impl SystemClock {
    /// Returns a clock that starts with the wall clock's time.
    #[must_use]
    pub fn new() -> Self {
        Self {
            opened_ms: to_ms(SystemTime::now()),
            opened: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        self.opened_ms
            .saturating_add(duration_ms(self.opened.elapsed()))
    }
}

/// A clock for tests, that stands still until it is advanced.
///
/// A queue looks at its clock with each command, and every
/// [`poll_interval`](crate::QueueOptions::poll_interval) while somebody waits for messages.
///
/// ```
/// use std::time::Duration;
/// use stage_queue::{Clock, ManualClock};
///
/// let clock = ManualClock::new(1_000);
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(clock.now_ms(), 3_000);
/// ```
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Returns a clock that stands at `ms` milliseconds since 1970.
    #[must_use]
    pub const fn new(ms: i64) -> Self {
        Self(AtomicI64::new(ms))
    }

    /// Advances the clock.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(duration_ms(by), Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

pub(crate) fn duration_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A delay, rounded up: nothing is due before its time.
pub(crate) fn delay_ms(delay: Duration) -> i64 {
    i64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

/// Milliseconds since 1970, rounded up.
pub(crate) fn to_ms(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => delay_ms(after),
        Err(before) => -duration_ms(before.duration()),
    }
}

pub(crate) fn from_ms(ms: i64) -> SystemTime {
    let distance = Duration::from_millis(ms.unsigned_abs());
    let time = if ms < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(UNIX_EPOCH)
}
