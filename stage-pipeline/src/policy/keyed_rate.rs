//! [`KeyedRateLimit`]: a rate limit for each key.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use foldhash::fast::{FixedState, RandomState};
use indexmap::IndexMap;
use parking_lot::Mutex;

use super::wakers::Wakers;
use super::{Gcra, Rate, Wait};

/// A rate limit for each key, of which only the keys in use are kept.
///
/// A key is the hash of a key of the user; two keys with the same hash share a
/// limit. A key whose limit is full again is forgotten, since a full limit is the
/// same as a new one. Each call looks at a few keys for that, so no task has to.
/// That idea is `retain_recent` of the crate `governor`, without the pause of a
/// whole pass.
///
/// At most `max_keys` keys are kept. While there are so many, all further keys
/// share one limit: their messages wait longer than they need to, and no key gets
/// more than its rate. [`shared`](Self::shared) counts them.
///
/// ```
/// use std::time::{Duration, Instant};
/// use stage_pipeline::policy::{KeyedBuckets, Rate, Wait};
///
/// let start = Instant::now();
/// let mut limits = KeyedBuckets::new(Rate::per_second(2), 1000);
/// assert_eq!(limits.take(start, 7, 5), Ok(2));
/// assert_eq!(limits.take(start, 8, 1), Ok(1));
/// assert_eq!(limits.take(start, 7, 3), Err(Wait::For(Duration::from_millis(500))));
/// limits.forget_idle(start + Duration::from_secs(1));
/// assert_eq!(limits.keys(), 0);
/// ```
#[derive(Clone, Debug)]
pub struct KeyedBuckets {
    rate: Rate,
    max_keys: usize,
    buckets: IndexMap<u64, Gcra, RandomState>,
    /// The key that is looked at next.
    cursor: usize,
    /// The keys with a rate of their own; `None` until first used.
    own: HashMap<u64, (Rate, Option<Gcra>), RandomState>,
    /// For the keys that found no room.
    rest: Option<Gcra>,
    shared: u64,
}

impl KeyedBuckets {
    /// The number of keys that are kept by default.
    pub const MAX_KEYS: usize = 65_536;

    /// Returns limits of `rate` for each key. `max_keys` is at least 1; 0 is taken
    /// for 1.
    #[must_use]
    pub fn new(rate: Rate, max_keys: usize) -> Self {
        Self {
            rate,
            max_keys: max_keys.max(1),
            buckets: IndexMap::default(),
            cursor: 0,
            own: HashMap::default(),
            rest: None,
            shared: 0,
        }
    }

    /// Takes as many permits of `key` as there are, at most `want`: returns between
    /// 1 and `want`, or 0 if `want` is 0.
    ///
    /// # Errors
    ///
    /// A [`Wait`] if there is not one permit.
    pub fn take(&mut self, now: Instant, key: u64, want: usize) -> Result<usize, Wait> {
        if let Some((rate, bucket)) = self.own.get_mut(&key) {
            let bucket = bucket.get_or_insert_with(|| Gcra::new(*rate, now));
            return bucket.take(now, want);
        }
        let rate = self.rate;
        if let Some(bucket) = self.buckets.get_mut(&key) {
            let taken = bucket.take(now, want);
            self.forget_some(now, 1);
            return taken;
        }
        if rate.is_closed() {
            return Err(Wait::Closed);
        }
        self.forget_some(now, 4);
        if self.buckets.len() >= self.max_keys {
            self.shared += 1;
            let rest = self.rest.get_or_insert_with(|| Gcra::new(rate, now));
            return rest.take(now, want);
        }
        // What the key took among the rest counts.
        let rest = self.rest.clone();
        let mut bucket = rest.unwrap_or_else(|| Gcra::new(rate, now));
        let taken = bucket.take(now, want);
        self.buckets.insert(key, bucket);
        taken
    }

    /// Gives permits of `key` back that were taken and not used.
    pub fn give_back(&mut self, key: u64, permits: usize) {
        let bucket = match self.own.get_mut(&key) {
            Some((_, bucket)) => bucket.as_mut(),
            None => self.buckets.get_mut(&key),
        };
        // A key that shares the limit of the rest gives nothing back: it may have
        // taken from a limit of its own that is forgotten by now.
        if let Some(bucket) = bucket {
            bucket.give_back(permits);
        }
    }

    /// Changes the rate of all keys without one of their own. Each key keeps the
    /// permits it has, up to the new burst. Takes time in proportion to the keys.
    pub fn set(&mut self, rate: Rate) {
        self.rate = rate;
        for bucket in self.buckets.values_mut().chain(&mut self.rest) {
            bucket.set_untimed(rate);
        }
    }

    /// Gives `key` a rate of its own, or takes it away. Such keys are always kept,
    /// and do not count for `max_keys`.
    pub fn set_for(&mut self, key: u64, rate: Option<Rate>) {
        let own = self.own.remove(&key).and_then(|(_, bucket)| bucket);
        let known = own.or_else(|| self.buckets.swap_remove(&key));
        if let Some(rate) = rate {
            let mut bucket = known.or_else(|| self.rest.clone());
            if let Some(bucket) = &mut bucket {
                bucket.set_untimed(rate);
            }
            self.own.insert(key, (rate, bucket));
        } else if let Some(mut bucket) = known {
            bucket.set_untimed(self.rate);
            self.buckets.insert(key, bucket);
        }
    }

    /// Returns the rate of `key`.
    #[must_use]
    pub fn rate_of(&self, key: u64) -> Rate {
        self.own.get(&key).map_or(self.rate, |(rate, _)| *rate)
    }

    /// Returns how many keys without a rate of their own are kept.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.buckets.len()
    }

    /// Returns how many calls found no room for their key.
    #[must_use]
    pub const fn shared(&self) -> u64 {
        self.shared
    }

    /// Forgets all keys whose limit is full. Takes time in proportion to the keys;
    /// nothing needs it, since [`take`](Self::take) does it by and by.
    pub fn forget_idle(&mut self, now: Instant) {
        self.forget_some(now, self.buckets.len());
    }

    fn forget_some(&mut self, now: Instant, keys: usize) {
        for _ in 0..keys {
            if self.cursor >= self.buckets.len() {
                self.cursor = 0;
            }
            let Some((_, bucket)) = self.buckets.get_index_mut(self.cursor) else {
                break;
            };
            if bucket.is_full(now) {
                // The last key takes its place and is looked at next.
                self.buckets.swap_remove_index(self.cursor);
            } else {
                self.cursor += 1;
            }
        }
        if self.rest.as_mut().is_some_and(|rest| rest.is_full(now)) {
            self.rest = None;
        }
    }
}

/// [`KeyedBuckets`] that clones share, and that can be changed while they are used.
///
/// Whoever waits for a key is woken when a rate changes. It then asks for all keys
/// again, see [`ParkedByKey::recheck`](super::ParkedByKey::recheck).
///
/// ```
/// use std::task::Waker;
/// use std::time::Instant;
/// use stage_pipeline::policy::{KeyedRateLimit, Rate};
///
/// let limit = KeyedRateLimit::new(Rate::per_second(2));
/// limit.set_for(7, Some(Rate::per_second(100)));
/// assert_eq!(limit.take(Instant::now(), 7, 50, Waker::noop()), Ok(50));
/// assert_eq!(limit.take(Instant::now(), 8, 50, Waker::noop()), Ok(2));
/// ```
#[derive(Clone, Debug)]
pub struct KeyedRateLimit {
    shared: Arc<Mutex<(KeyedBuckets, Wakers)>>,
}

impl KeyedRateLimit {
    /// Returns limits of `rate` for each key. At most
    /// [`KeyedBuckets::MAX_KEYS`] keys are kept.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self::from(KeyedBuckets::new(rate, KeyedBuckets::MAX_KEYS))
    }

    /// Returns the number by which limits know the key of a message: to give a key a rate
    /// of its own. It is the same within a process.
    #[must_use]
    pub fn hash(key: &str) -> u64 {
        FixedState::default().hash_one(key)
    }

    /// Takes as many permits of `key` as there are, at most `want`: returns between
    /// 1 and `want`, or 0 if `want` is 0.
    ///
    /// # Errors
    ///
    /// A [`Wait`] if there is not one permit. `waker` is then kept, and is woken
    /// once, when a rate changes or permits of any key are given back.
    pub fn take(&self, now: Instant, key: u64, want: usize, waker: &Waker) -> Result<usize, Wait> {
        let mut shared = self.shared.lock();
        let taken = shared.0.take(now, key, want);
        let mut others = Wakers::default();
        if taken.is_err() {
            others = shared.1.register(waker);
        }
        drop(shared);
        others.wake();
        taken
    }

    /// Gives permits of `key` back that were taken and not used, and wakes those
    /// who wait.
    pub fn give_back(&self, key: u64, permits: usize) {
        self.change(|buckets| buckets.give_back(key, permits));
    }

    /// Changes the rate of all keys without one of their own, and wakes those who
    /// wait. Each key keeps the permits it has, up to the new burst.
    pub fn set(&self, rate: Rate) {
        self.change(|buckets| buckets.set(rate));
    }

    /// Gives `key` a rate of its own, or takes it away, and wakes those who wait.
    pub fn set_for(&self, key: u64, rate: Option<Rate>) {
        self.change(|buckets| buckets.set_for(key, rate));
    }

    /// Returns the rate of `key`.
    #[must_use]
    pub fn rate_of(&self, key: u64) -> Rate {
        self.shared.lock().0.rate_of(key)
    }

    /// Returns how many keys without a rate of their own are kept.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.shared.lock().0.keys()
    }

    /// Returns how many calls found no room for their key, see [`KeyedBuckets`].
    #[must_use]
    pub fn shared(&self) -> u64 {
        self.shared.lock().0.shared()
    }

    fn change(&self, change: impl FnOnce(&mut KeyedBuckets)) {
        let mut shared = self.shared.lock();
        change(&mut shared.0);
        let waiting = shared.1.take();
        drop(shared);
        waiting.wake();
    }
}

impl From<KeyedBuckets> for KeyedRateLimit {
    fn from(buckets: KeyedBuckets) -> Self {
        Self {
            shared: Arc::new(Mutex::new((buckets, Wakers::default()))),
        }
    }
}
