//! What a stage was told from outside to do with itself.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stage_core::Reason;

/// The orders that a stage has not carried out yet; the strongest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Orders {
    /// End as cancelled.
    pub(crate) stop: Option<Reason>,
    /// Start over with a new state, because a neighbour in the group did.
    pub(crate) restart: Option<Reason>,
    /// Take nothing new in and complete. Says which stages drain as well.
    pub(crate) drain: Option<Arc<HashSet<u64>>>,
}

/// Where orders are left for a stage.
#[derive(Debug, Default)]
pub(crate) struct OrderBook {
    any: AtomicBool,
    orders: Mutex<Orders>,
}

impl OrderBook {
    /// Leaves an order. The caller rings the stage's station.
    pub(crate) fn give(&self, order: impl FnOnce(&mut Orders)) {
        order(&mut self.lock());
        self.any.store(true, Ordering::Release);
    }

    /// The orders to carry out now. A stop stays in the book: it is for good.
    pub(crate) fn take(&self) -> Option<Orders> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut book = self.lock();
        let orders = book.clone();
        book.restart = None;
        book.drain = None;
        self.any.store(book.stop.is_some(), Ordering::Relaxed);
        Some(orders)
    }

    /// Whether it was told to stop.
    pub(crate) fn stop(&self) -> Option<Reason> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.lock().stop.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
