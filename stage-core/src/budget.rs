//! [`Budget`]: a number of bytes that several bounds share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A number of bytes that several buffers and subscriptions share: what all of
/// them hold together is to stay within it, beside the bound that each has.
///
/// A bound takes bytes from the budget when it takes events in, or asks for them,
/// and gives them back when it lets go of the events, or is dropped. Nothing
/// waits for a budget: a bound that finds no room does what it does when its own
/// limit is reached. So every bound may hold one event, whatever the budget, and
/// events that are handed back are kept. By these alone [`used`](Self::used) can
/// exceed [`limit`](Self::limit), and by events that are heavier than a
/// subscription had expected.
///
/// A budget has no shares: the first that asks gets what is free. A limit of each
/// bound below the limit of the budget keeps one of them from taking all.
///
/// Clones are the same budget.
///
/// ```
/// use stage_core::{Batch, Bound, Budget, Buffer, Overflow};
///
/// let budget = Budget::new(10);
/// let bound = Bound::Bytes { limit: 8, weigh: |text: &&str| text.len() };
/// let mut one: Buffer<&str, ()> = Buffer::new(bound, Overflow::DropNewest);
/// let mut other: Buffer<&str, ()> = Buffer::new(bound, Overflow::DropNewest);
/// one.share(&budget);
/// other.share(&budget);
///
/// assert_eq!(one.store(Batch::from(vec!["1234", "5678"])).discarded, 0);
/// // The other has room for 8 bytes, and the budget for 2.
/// assert_eq!(other.store(Batch::from(vec!["ab", "c"])).discarded, 1);
/// assert_eq!(budget.used(), 10);
/// drop(one);
/// assert_eq!(budget.used(), 2);
/// ```
#[derive(Clone)]
pub struct Budget(Arc<State>);

struct State {
    limit: usize,
    /// The sum of what all shares hold, exactly: it never wraps, because a share
    /// holds only what was added here.
    used: AtomicUsize,
}

impl Budget {
    /// Returns a budget of `bytes`. With 0, every bound that shares it holds at
    /// most one event.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(State {
            limit: bytes,
            used: AtomicUsize::new(0),
        }))
    }

    /// Returns the most bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Returns the bytes that all bounds hold now, with those that subscriptions
    /// have asked for and expect.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Relaxed)
    }

    /// Returns `true` if there is another clone of this budget, such as that of a
    /// bound.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Takes `bytes`, or as many of them as leave at most `most` in use. Returns
    /// how many it took.
    fn take(&self, bytes: usize, most: usize) -> usize {
        // The number guards no other memory, so no order is needed.
        let mut used = self.used();
        loop {
            let taken = bytes.min(most.saturating_sub(used));
            if taken == 0 {
                return 0;
            }
            let exchanged = self
                .0
                .used
                .compare_exchange_weak(used, used + taken, Relaxed, Relaxed);
            match exchanged {
                Ok(_) => return taken,
                Err(now) => used = now,
            }
        }
    }

    fn give_back(&self, bytes: usize) {
        self.0.used.fetch_sub(bytes, Relaxed);
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("limit", &self.limit())
            .field("used", &self.used())
            .finish()
    }
}

/// The bytes that one bound has of a [`Budget`]. Gives them back on drop.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Budget,
    held: usize,
}

impl Share {
    pub(crate) fn of(budget: &Budget) -> Self {
        Self {
            budget: budget.clone(),
            held: 0,
        }
    }

    /// Holds up to `bytes`, as far as the budget has room; gives nothing back.
    /// Returns what it holds now.
    pub(crate) fn grow(&mut self, bytes: usize) -> usize {
        let more = bytes.saturating_sub(self.held);
        self.held += self.budget.take(more, self.budget.limit());
        self.held
    }

    /// Holds exactly `bytes`, whether or not the budget has room.
    pub(crate) fn set(&mut self, bytes: usize) {
        match bytes.checked_sub(self.held) {
            // Less is taken only if the sum would wrap.
            Some(more) => self.held += self.budget.take(more, usize::MAX),
            None => {
                self.budget.give_back(self.held - bytes);
                self.held = bytes;
            }
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give_back(self.held);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::{Budget, Share};

    /// Reserved bytes are within the limit at every moment, whatever the threads do,
    /// and all of them come back.
    #[test]
    fn threads_never_reserve_more_than_the_limit() {
        const LIMIT: usize = 1_000;
        let budget = Budget::new(LIMIT);
        thread::scope(|scope| {
            for seed in 0..4_usize {
                let budget = &budget;
                scope.spawn(move || {
                    let mut share = Share::of(budget);
                    for round in 0..20_000 {
                        let want = (seed + round) * 7_919 % 700;
                        let held = share.grow(want);
                        assert!(budget.used() <= LIMIT);
                        assert!(budget.used() >= held);
                        share.set(held / (1 + round % 3));
                        if round % 97 == 0 {
                            share = Share::of(budget);
                        }
                    }
                });
            }
        });
        assert_eq!(budget.used(), 0);
    }

    /// airbyte 74897, pulsar 26469: a sum that goes below 0 has room for everything.
    #[test]
    fn what_a_share_holds_is_exactly_what_comes_back() {
        let budget = Budget::new(100);
        let (mut one, mut other) = (Share::of(&budget), Share::of(&budget));
        one.set(usize::MAX);
        other.set(50);
        assert_eq!(budget.used(), usize::MAX, "it does not wrap");
        assert_eq!(other.grow(60), 0);
        drop(one);
        assert_eq!(budget.used(), 0);
        other.set(50);
        assert_eq!((other.grow(200), budget.used()), (100, 100));
        other.set(0);
        assert_eq!(budget.used(), 0);
    }
}
