//! [`RateLimit`]: one limit that several tasks share.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use parking_lot::Mutex;

use super::wakers::Wakers;
use super::{Gcra, Rate, Wait};

/// A rate limit that its clones share, and that can be changed while it is used.
///
/// Whoever takes permits waits for the time that [`take`](Self::take) returns, and
/// is woken earlier when the rate changes or permits are given back. Takers are not
/// served in the order in which they came.
///
/// ```
/// use std::task::Waker;
/// use std::time::Instant;
/// use stage_pipeline::policy::{Rate, RateLimit, Wait};
///
/// let limit = RateLimit::new(Rate::per_second(10));
/// let now = Instant::now();
/// assert_eq!(limit.take(now, 37, Waker::noop()), Ok(10));
/// limit.set(Rate::closed());
/// assert_eq!(limit.take(now, 27, Waker::noop()), Err(Wait::Closed));
/// assert_eq!(limit.granted(), 10);
/// ```
#[derive(Clone, Debug)]
pub struct RateLimit {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    rate: Rate,
    /// `None` until the first call that knows the time.
    bucket: Option<Gcra>,
    granted: u64,
    waiting: Wakers,
}

impl RateLimit {
    /// Returns a full limit.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Shared {
                rate,
                bucket: None,
                granted: 0,
                waiting: Wakers::default(),
            })),
        }
    }

    /// Takes as many permits as there are, at most `want`: returns between 1 and
    /// `want`, or 0 if `want` is 0.
    ///
    /// # Errors
    ///
    /// A [`Wait`] if there is not one permit. `waker` is then kept, and is woken
    /// once, when the rate changes or permits are given back. The caller waits for
    /// the time in the `Wait` by itself.
    pub fn take(&self, now: Instant, want: usize, waker: &Waker) -> Result<usize, Wait> {
        let mut shared = self.shared.lock();
        let rate = shared.rate;
        let bucket = shared.bucket.get_or_insert_with(|| Gcra::new(rate, now));
        let taken = bucket.take(now, want);
        let mut others = Wakers::default();
        match taken {
            Ok(granted) => shared.granted += granted as u64,
            Err(_) => others = shared.waiting.register(waker),
        }
        drop(shared);
        others.wake();
        taken
    }

    /// Gives permits back that were taken and not used, and wakes those who wait.
    pub fn give_back(&self, permits: usize) {
        let mut shared = self.shared.lock();
        shared.granted = shared.granted.saturating_sub(permits as u64);
        if let Some(bucket) = &mut shared.bucket {
            bucket.give_back(permits);
        }
        let waiting = shared.waiting.take();
        drop(shared);
        waiting.wake();
    }

    /// Changes the rate and wakes those who wait. The permits that are there stay,
    /// up to the new burst, and none is added, see [`Gcra::set_untimed`]. A limit
    /// that was never used begins with the new burst.
    pub fn set(&self, rate: Rate) {
        let mut shared = self.shared.lock();
        shared.rate = rate;
        if let Some(bucket) = &mut shared.bucket {
            bucket.set_untimed(rate);
        }
        let waiting = shared.waiting.take();
        drop(shared);
        waiting.wake();
    }

    /// Returns the rate.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.shared.lock().rate
    }

    /// Returns how many permits were granted and not given back.
    #[must_use]
    pub fn granted(&self) -> u64 {
        self.shared.lock().granted
    }
}
