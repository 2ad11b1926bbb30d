//! The ids and counts of children.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use stage_core::SubscriptionId;

/// The id of a child. It is unique within its stage and kept when the child restarts. Later
/// children have higher ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildId(u64);

impl ChildId {
    /// The id of the first child of a stage.
    pub(super) const FIRST: Self = Self(1);

    /// Returns the id after this one.
    pub(super) const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Returns the number, which is at least 1.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "child {}", self.0)
    }
}

/// A snapshot of a running child, as [`ListChildren`](super::ListChildren) returns it.
///
/// A child that failed restarts at once, so none is ever waiting for a restart.
///
/// Source: `ConsumerSupervisor.which_children/1`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildInfo {
    /// The id of the child.
    pub id: ChildId,
    /// The subscription that its event came over; `None` if it was started by a message.
    pub subscription: Option<SubscriptionId>,
    /// The number of its restarts.
    pub restarts: usize,
    /// Whether it was asked to stop.
    pub stopping: bool,
}

/// A snapshot of the counts of children.
///
/// Invariant: `started` is the sum of `running`, `completed`, `failed` and `stopped`.
///
/// Source: `ConsumerSupervisor.count_children/1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ChildCounts {
    /// Children that run now.
    pub running: u64,
    /// Children started, for events and by messages; restarts are not counted.
    pub started: u64,
    /// Children that returned `Ok`.
    pub completed: u64,
    /// Children that failed and were not restarted.
    pub failed: u64,
    /// Children that were aborted before they ended by themselves, by
    /// [`StopChild`](super::StopChild) or because the stage ended.
    pub stopped: u64,
    /// Restarts of all children.
    pub restarts: u64,
}

/// Reads the [`ChildCounts`] of a stage, also after it has ended; cheap to
/// clone. Made by [`PerEvent::counts_handle`](super::PerEvent::counts_handle).
///
/// ```
/// use stage_runtime::{operators::from_iter, prelude::*};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let checker = per_event(async |n: i32| if n == 3 { Err("odd".into()) } else { Ok(()) });
/// let handle = checker.counts_handle();
/// let numbers = from_iter(1..=3).stage().spawn();
/// checker.stage().subscribe_to(&numbers).spawn().join().await?;
/// assert_eq!((handle.counts().completed, handle.counts().failed), (2, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct ChildCountsHandle(Arc<Mutex<ChildCounts>>);

impl ChildCountsHandle {
    /// Returns the counts that the stage published last. It publishes them whenever it has
    /// started or reaped children.
    #[must_use]
    pub fn counts(&self) -> ChildCounts {
        *self.0.lock()
    }

    /// Publishes new counts.
    pub(super) fn publish(&self, counts: ChildCounts) {
        *self.0.lock() = counts;
    }
}
