//! What a stage was told from outside to do with itself.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::stage_id::StageId;
use parking_lot::Mutex;
use stage_core::Reason;

/// The requests that a stage has not carried out yet; the strongest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests {
    /// End as cancelled.
    pub(crate) stop: Option<Reason>,
    /// Start over with a new state, because a neighbour in the group did.
    pub(crate) restart: Option<Reason>,
    /// Take nothing new in and complete. Says which stages drain as well.
    pub(crate) drain: Option<Arc<HashSet<StageId>>>,
}

/// Where requests are left for a stage.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    any: AtomicBool,
    /// `None` before the first request, which most stages never get.
    requests: Mutex<Option<Box<Requests>>>,
}

impl Lifecycle {
    /// Leaves an request. The caller rings the stage's notifier.
    pub(crate) fn request(&self, request: impl FnOnce(&mut Requests)) {
        request(self.requests.lock().get_or_insert_default());
        self.any.store(true, Ordering::Release);
    }

    /// The requests to carry out now. A stop stays in the pending: it is for good.
    pub(crate) fn take(&self) -> Option<Requests> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut pending = self.requests.lock();
        let pending = pending.as_mut()?;
        let requests = Requests::clone(pending);
        pending.restart = None;
        pending.drain = None;
        self.any.store(pending.stop.is_some(), Ordering::Relaxed);
        Some(requests)
    }

    /// Whether it was told to stop.
    pub(crate) fn stop(&self) -> Option<Reason> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.requests.lock().as_ref()?.stop.clone()
    }
}
