//! What a stage was told from outside to do with itself.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
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
    /// `None` before the first order, which most stages never get.
    orders: Mutex<Option<Box<Orders>>>,
}

impl OrderBook {
    /// Leaves an order. The caller rings the stage's station.
    pub(crate) fn give(&self, order: impl FnOnce(&mut Orders)) {
        order(self.orders.lock().get_or_insert_default());
        self.any.store(true, Ordering::Release);
    }

    /// The orders to carry out now. A stop stays in the book: it is for good.
    pub(crate) fn take(&self) -> Option<Orders> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut book = self.orders.lock();
        let book = book.as_mut()?;
        let orders = Orders::clone(book);
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
        self.orders.lock().as_ref()?.stop.clone()
    }
}
