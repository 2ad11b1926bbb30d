//! [`Watch`]: wakes those who wait for messages of a topic.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// Counts changes of a topic, and wakes those who wait for the next one.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    changes: AtomicU64,
    wakers: Mutex<Vec<Waker>>,
}

impl Watch {
    /// Returns the number of changes so far, to wait for the next one.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Ready when there were changes after `seen`.
    pub(crate) fn poll_after(&self, seen: u64, cx: &Context<'_>) -> Poll<()> {
        if self.changes() != seen {
            return Poll::Ready(());
        }
        self.register(cx.waker());
        // There may have been one in between.
        if self.changes() != seen {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Wakes this waker with the next change.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut wakers = self.wakers.lock();
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    pub(crate) fn change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        let wakers = std::mem::take(&mut *self.wakers.lock());
        for waker in wakers {
            waker.wake();
        }
    }
}
