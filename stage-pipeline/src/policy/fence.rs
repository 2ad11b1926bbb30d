//! [`Fence`]: keeps the order of a key after one of its messages failed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::fast::RandomState;
use parking_lot::Mutex;

/// Whether a message may be handled, or has to go back behind a failed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceVerdict {
    /// No message before it failed: handle it.
    Pass,
    /// A message of its key before it failed: release it.
    Behind,
}

/// Keeps the order of each key after a failure, for the messages of one source.
///
/// The source numbers the messages in the order in which it leases them. When one
/// fails, the messages of its key that were leased after it are still under way.
/// They are to be released, and are leased again behind the failed one. What is
/// leased after the failure has a higher number and passes.
///
/// A key keeps up to 4 ranges of numbers, and at most `max_keys` keys are kept.
/// Beyond that ranges are joined, and more messages are released than need be:
/// those in between, and of other keys. The order still holds, and a message that
/// is leased after the last failure still passes.
///
/// ```
/// use stage_pipeline::policy::{Fence, FenceVerdict};
///
/// let mut fence = Fence::default();
/// // Message 3 of key 7 failed, and 5 was leased last.
/// fence.fail(7, 3, 5);
/// assert_eq!(fence.verdict(7, 4), FenceVerdict::Behind);
/// assert_eq!(fence.verdict(8, 5), FenceVerdict::Pass);
/// assert_eq!(fence.verdict(7, 6), FenceVerdict::Pass);
/// // All up to 5 are settled.
/// fence.settled_below(6);
/// assert!(fence.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Fence {
    /// The ranges of each key, ascending and apart.
    keys: HashMap<u64, Vec<Range>, RandomState>,
    max_keys: usize,
    /// The range of all keys, since there were too many.
    all: Option<Range>,
    /// The lowest end of a range, or lower: nothing to forget below it.
    lowest_end: u64,
}

/// The numbers from `first` to `last`, both included.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: u64,
    last: u64,
}

impl Range {
    const fn contains(self, seq: u64) -> bool {
        self.first <= seq && seq <= self.last
    }

    fn join(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }

    /// Whether no number lies between the two.
    const fn touches(self, other: Self) -> bool {
        self.first <= other.last.saturating_add(1) && other.first <= self.last.saturating_add(1)
    }
}

impl Fence {
    /// The number of keys that are kept by default.
    pub const MAX_KEYS: usize = 4096;
    /// The ranges that are kept for one key.
    const MAX_RANGES: usize = 4;

    /// Returns a fence that keeps at most `max_keys` keys.
    #[must_use]
    pub fn new(max_keys: usize) -> Self {
        Self {
            keys: HashMap::default(),
            max_keys,
            all: None,
            lowest_end: u64::MAX,
        }
    }

    /// Notes that message `failed` of `key` failed, when the source had leased up to
    /// `last_leased`: the messages of `key` in between are behind it.
    pub fn fail(&mut self, key: u64, failed: u64, last_leased: u64) {
        if failed >= last_leased {
            return;
        }
        let range = Range {
            first: failed + 1,
            last: last_leased,
        };
        self.lowest_end = self.lowest_end.min(range.last);
        let ranges = self.keys.entry(key).or_default();
        insert(ranges, range);
        if ranges.len() > Self::MAX_RANGES {
            let oldest = ranges.remove(0);
            ranges[0] = ranges[0].join(oldest);
        }
        if self.keys.len() > self.max_keys {
            let ranges = self.keys.drain().flat_map(|(_, ranges)| ranges);
            self.all = ranges.chain(self.all).reduce(Range::join);
        }
    }

    /// Returns whether message `seq` of `key` may be handled.
    #[must_use]
    pub fn verdict(&self, key: u64, seq: u64) -> FenceVerdict {
        let of_key = self.keys.get(&key).map_or(&[][..], Vec::as_slice);
        if of_key
            .iter()
            .chain(&self.all)
            .any(|range| range.contains(seq))
        {
            FenceVerdict::Behind
        } else {
            FenceVerdict::Pass
        }
    }

    /// Forgets what is about messages below `seq`, the lowest that is not settled;
    /// one above the last leased if all are settled.
    pub fn settled_below(&mut self, seq: u64) {
        if seq <= self.lowest_end {
            return;
        }
        self.keys.retain(|_, ranges| {
            ranges.retain(|range| range.last >= seq);
            !ranges.is_empty()
        });
        self.all = self.all.filter(|range| range.last >= seq);
        let ends = self.keys.values().flatten().chain(&self.all);
        self.lowest_end = ends.map(|range| range.last).min().unwrap_or(u64::MAX);
    }

    /// Returns whether every message passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.all.is_none()
    }

    /// Returns the number of keys that have a message behind a failed one.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.keys.len()
    }
}

impl Default for Fence {
    /// Returns a fence that keeps [`MAX_KEYS`](Self::MAX_KEYS) keys.
    fn default() -> Self {
        Self::new(Self::MAX_KEYS)
    }
}

/// Adds `range`, and joins it with those it touches.
fn insert(ranges: &mut Vec<Range>, mut range: Range) {
    ranges.retain(|known| {
        let apart = !known.touches(range);
        if !apart {
            range = range.join(*known);
        }
        apart
    });
    let at = ranges.partition_point(|known| known.first < range.first);
    ranges.insert(at, range);
}

/// A [`Fence`] that clones share. While nothing has failed, a verdict is one load.
///
/// ```
/// use stage_pipeline::policy::{FenceVerdict, SharedFence};
///
/// let fence = SharedFence::default();
/// fence.clone().fail(7, 3, 5);
/// assert_eq!(fence.verdict(7, 4), FenceVerdict::Behind);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SharedFence {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    raised: AtomicBool,
    fence: Mutex<Fence>,
}

impl SharedFence {
    /// Does what [`Fence::fail`] does.
    pub fn fail(&self, key: u64, failed: u64, last_leased: u64) {
        self.change(|fence| fence.fail(key, failed, last_leased));
    }

    /// Does what [`Fence::verdict`] does.
    #[must_use]
    pub fn verdict(&self, key: u64, seq: u64) -> FenceVerdict {
        if self.is_empty() {
            return FenceVerdict::Pass;
        }
        self.shared.fence.lock().verdict(key, seq)
    }

    /// Does what [`Fence::settled_below`] does.
    pub fn settled_below(&self, seq: u64) {
        if !self.is_empty() {
            self.change(|fence| fence.settled_below(seq));
        }
    }

    /// Returns whether every message passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.shared.raised.load(Ordering::Acquire)
    }

    fn change(&self, change: impl FnOnce(&mut Fence)) {
        let mut fence = self.shared.fence.lock();
        change(&mut fence);
        // Under the lock, so that the last change has the last word.
        self.shared
            .raised
            .store(!fence.is_empty(), Ordering::Release);
    }
}
