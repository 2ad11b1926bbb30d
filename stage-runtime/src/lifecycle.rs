//! Lifecycle requests to a stage: stop, complete, restart, drain.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::stage_id::StageId;
use parking_lot::Mutex;
use stage_core::Reason;

/// The lifecycle requests that a stage has not carried out yet. A stop overrides the
/// others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests {
    /// End as cancelled, for this reason.
    pub(crate) stop: Option<Reason>,
    /// Give the handlers no more demand and events, and complete.
    pub(crate) complete: bool,
    /// Restart with a new state, because another stage of the group restarts.
    pub(crate) restart: Option<Reason>,
    /// Take nothing new in, and complete. Contains all stages that drain together.
    pub(crate) drain: Option<Arc<HashSet<StageId>>>,
}

/// The pending lifecycle requests of a stage. Requests of the same kind are merged, so
/// there is no queue.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    /// Whether there is a request: spares the task the lock.
    any: AtomicBool,
    /// Allocated for the first request, which most stages never get.
    requests: Mutex<Option<Box<Requests>>>,
}

impl Lifecycle {
    /// Adds a request. The caller notifies the stage.
    pub(crate) fn request(&self, request: impl FnOnce(&mut Requests)) {
        request(self.requests.lock().get_or_insert_default());
        self.any.store(true, Ordering::Release);
    }

    /// Takes the pending requests. A request to stop or to complete stays pending, because
    /// it is for good.
    pub(crate) fn take(&self) -> Option<Requests> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut pending = self.requests.lock();
        let pending = pending.as_mut()?;
        let requests = Requests::clone(pending);
        pending.restart = None;
        pending.drain = None;
        let stays = pending.stop.is_some() || pending.complete;
        self.any.store(stays, Ordering::Relaxed);
        Some(requests)
    }

    /// Returns the reason if the stage is to stop.
    pub(crate) fn stop(&self) -> Option<Reason> {
        self.pending(|requests| requests.stop.clone())?
    }

    /// Whether the stage is to complete, for good.
    pub(crate) fn completes(&self) -> bool {
        self.pending(|requests| requests.complete) == Some(true)
    }

    /// Reads the pending requests.
    fn pending<T>(&self, read: impl FnOnce(&Requests) -> T) -> Option<T> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.requests.lock().as_deref().map(read)
    }
}
