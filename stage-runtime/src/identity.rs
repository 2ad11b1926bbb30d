//! Who a stage is, and what all of its handles share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

use stage_core::{Reason, SubscriptionId};

use crate::link::Station;
use crate::stats::Counters;

/// Numbers stages and subscriptions; none is given out twice.
static NEXT: AtomicU64 = AtomicU64::new(1);

pub(crate) fn next_subscription() -> SubscriptionId {
    SubscriptionId::new(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What a stage's task and its handles share.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) station: Arc<Station>,
    pub(crate) counters: Counters,
    stop: Mutex<Option<Reason>>,
}

impl Identity {
    /// A stage named `name`, or by its type and number.
    pub(crate) fn new(name: Option<String>, type_name: &str) -> Arc<Self> {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = name.unwrap_or_else(|| format!("{}#{id}", short(type_name)));
        Arc::new(Self {
            id,
            name: name.into(),
            station: Arc::default(),
            counters: Counters::default(),
            stop: Mutex::new(None),
        })
    }

    /// Has the stage end as cancelled; the first reason counts.
    pub(crate) fn stop(&self, reason: Reason) {
        self.stop_lock().get_or_insert(reason);
        self.station.bell.ring();
    }

    pub(crate) fn stop_reason(&self) -> Option<Reason> {
        self.stop_lock().clone()
    }

    fn stop_lock(&self) -> std::sync::MutexGuard<'_, Option<Reason>> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The waker that producers get from their emitter.
impl Wake for Identity {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.station.bell.ring_again();
    }
}

/// `stages::closures::Map<F>` reads as `Map`.
fn short(type_name: &str) -> &str {
    let path = type_name.split('<').next().unwrap_or(type_name);
    path.rsplit("::").next().unwrap_or(path)
}
