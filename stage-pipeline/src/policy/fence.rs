//! [`Fence`]: keeps the order of a key after one of its messages failed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
/// They are behind it: whoever looks at one of them next releases it.
///
/// Until all of them are back, the key is [raised](Self::is_raised), and the source
/// hands on no message of it. It could lease one that follows those on their way
/// back, and would hand it on before them.
///
/// So the order of a key holds if
///
/// - the messages of a key stay in order between the source and the handler,
/// - the source leases a key from its first message that is there, and none of it
///   while the failed one waits for its retry,
/// - each message is released for which this says [`FenceVerdict::Behind`].
///
/// At most `max_keys` keys are kept. When there are more, the fence is raised for
/// all keys until the messages that are under way are back.
///
/// ```
/// use stage_pipeline::policy::{Fence, FenceVerdict};
///
/// let mut fence = Fence::default();
/// // Message 3 of key 7 failed, and 5 was leased last.
/// fence.fail(7, 3, 5);
/// assert_eq!(fence.verdict(7, 4), FenceVerdict::Behind);
/// assert_eq!(fence.verdict(8, 5), FenceVerdict::Pass);
/// assert!(fence.is_raised(7));
/// // All of key 7 up to 5 are settled.
/// fence.settled_key_below(7, 6);
/// assert!(fence.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Fence {
    keys: HashMap<u64, Range, RandomState>,
    max_keys: usize,
    /// The range of all keys, since there were too many.
    all: Option<Range>,
    /// The lowest end of a range, or lower: there is nothing to forget below it.
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
}

impl Fence {
    /// The number of keys that are kept by default.
    pub const MAX_KEYS: usize = 4096;

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
    /// `last_leased`, over all keys. The messages of `key` in between are behind it.
    pub fn fail(&mut self, key: u64, failed: u64, last_leased: u64) {
        // With nothing in between the key is raised all the same: the source may lease
        // its next message before the failed one is back.
        let range = Range {
            first: failed.saturating_add(1),
            last: last_leased.max(failed),
        };
        self.lowest_end = self.lowest_end.min(range.last);
        let joined = |known: &mut Range| *known = known.join(range);
        self.keys.entry(key).and_modify(joined).or_insert(range);
        if self.keys.len() > self.max_keys {
            let ranges = self.keys.drain().map(|(_, range)| range);
            self.all = ranges.chain(self.all).reduce(Range::join);
        }
    }

    /// Returns whether message `seq` of `key`, which is under way, may be handled.
    #[must_use]
    pub fn verdict(&self, key: u64, seq: u64) -> FenceVerdict {
        let mut ranges = self.keys.get(&key).into_iter().chain(&self.all);
        if ranges.any(|range| range.contains(seq)) {
            FenceVerdict::Behind
        } else {
            FenceVerdict::Pass
        }
    }

    /// Returns whether messages of `key` may still be under way that are behind a
    /// failed one. The source hands on no message of the key until then.
    #[must_use]
    pub fn is_raised(&self, key: u64) -> bool {
        self.all.is_some() || self.keys.contains_key(&key)
    }

    /// Forgets what is about messages of `key` below `seq`, the lowest of the key
    /// that is not settled; one above the last leased if all are settled.
    pub fn settled_key_below(&mut self, key: u64, seq: u64) {
        if self.keys.get(&key).is_some_and(|range| range.last < seq) {
            self.keys.remove(&key);
        }
    }

    /// Forgets what is about messages of any key below `seq`, the lowest that is not
    /// settled; one above the last leased if all are settled.
    pub fn settled_below(&mut self, seq: u64) {
        if seq <= self.lowest_end {
            return;
        }
        self.keys.retain(|_, range| range.last >= seq);
        self.all = self.all.filter(|range| range.last >= seq);
        let ends = self.keys.values().chain(&self.all);
        self.lowest_end = ends.map(|range| range.last).min().unwrap_or(u64::MAX);
    }

    /// Returns whether no key is raised.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.all.is_none()
    }

    /// Returns the number of keys that are kept.
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

/// A [`Fence`] that clones share, with the numbers of the messages. While nothing
/// has failed, a call is one atomic operation.
///
/// ```
/// use stage_pipeline::policy::{FenceVerdict, SharedFence};
///
/// let fence = SharedFence::default();
/// let first = fence.number(2);
/// fence.clone().fail(7, first);
/// assert_eq!(fence.verdict(7, first + 1), FenceVerdict::Behind);
/// // It is not back, so the source releases what it leases of the key.
/// let third = fence.number(1);
/// assert!(fence.is_raised(7));
/// fence.settled_key_below(7, third + 1);
/// assert!(!fence.is_raised(7));
/// ```
#[derive(Clone, Debug, Default)]
pub struct SharedFence {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    last_leased: AtomicU64,
    raised: AtomicBool,
    fence: Mutex<Fence>,
}

impl SharedFence {
    /// Returns the number of the first of `count` messages that were leased now; the
    /// first of all is 1.
    ///
    /// The source asks [`is_raised`](Self::is_raised) for the key of each of them
    /// after this call, and not before: a message that does not see a failure then
    /// has a number that the failure covers.
    #[must_use]
    pub fn number(&self, count: u64) -> u64 {
        // In this order, which is the reverse of that in `fail`: first the number,
        // then `raised`.
        self.shared.last_leased.fetch_add(count, Ordering::SeqCst) + 1
    }

    /// Notes that message `failed` of `key` failed: what was leased of the key after
    /// it is behind it.
    pub fn fail(&self, key: u64, failed: u64) {
        let mut fence = self.shared.fence.lock();
        self.shared.raised.store(true, Ordering::SeqCst);
        fence.fail(key, failed, self.last_leased());
        self.lower(&fence);
    }

    /// Returns the number of the message that was leased last; 0 if there is none.
    #[must_use]
    pub fn last_leased(&self) -> u64 {
        self.shared.last_leased.load(Ordering::SeqCst)
    }

    /// Does what [`Fence::verdict`] does.
    #[must_use]
    pub fn verdict(&self, key: u64, seq: u64) -> FenceVerdict {
        if self.is_empty() {
            return FenceVerdict::Pass;
        }
        self.shared.fence.lock().verdict(key, seq)
    }

    /// Does what [`Fence::is_raised`] does.
    #[must_use]
    pub fn is_raised(&self, key: u64) -> bool {
        !self.is_empty() && self.shared.fence.lock().is_raised(key)
    }

    /// Does what [`Fence::settled_key_below`] does.
    pub fn settled_key_below(&self, key: u64, seq: u64) {
        if !self.is_empty() {
            let mut fence = self.shared.fence.lock();
            fence.settled_key_below(key, seq);
            self.lower(&fence);
        }
    }

    /// Does what [`Fence::settled_below`] does.
    pub fn settled_below(&self, seq: u64) {
        if !self.is_empty() {
            let mut fence = self.shared.fence.lock();
            fence.settled_below(seq);
            self.lower(&fence);
        }
    }

    /// Returns whether no key is raised.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.shared.raised.load(Ordering::SeqCst)
    }

    /// Takes the locked fence, so that the last change has the last word.
    fn lower(&self, fence: &Fence) {
        if fence.is_empty() {
            self.shared.raised.store(false, Ordering::SeqCst);
        }
    }
}
