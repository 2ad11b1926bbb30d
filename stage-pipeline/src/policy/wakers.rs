//! [`Wakers`]: who is woken when a limit changes.

use std::task::Waker;

/// The most wakers that are kept. A task that ended leaves its waker behind.
const MOST: usize = 1024;

/// The wakers of those who wait for a limit, each once.
#[derive(Debug, Default)]
pub(super) struct Wakers(Vec<Waker>);

impl Wakers {
    /// Keeps `waker`. If there are too many, it returns all others: to wake them
    /// too often is right, and to forget one is not.
    pub(super) fn register(&mut self, waker: &Waker) -> Self {
        if self.0.iter().any(|known| known.will_wake(waker)) {
            return Self::default();
        }
        let others = if self.0.len() < MOST {
            Self::default()
        } else {
            self.take()
        };
        self.0.push(waker.clone());
        others
    }

    /// Returns all wakers, to be woken when no lock is held.
    pub(super) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    pub(super) fn wake(self) {
        for waker in self.0 {
            waker.wake();
        }
    }
}
