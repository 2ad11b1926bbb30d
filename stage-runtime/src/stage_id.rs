//! The ids of stages and subscriptions.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use stage_core::SubscriptionId;

/// The next number. Stages and subscriptions share one sequence, so that no number in a
/// log has two meanings.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Takes a number that was never used.
fn next_number() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Returns the id for a new subscription.
pub(crate) fn next_subscription() -> SubscriptionId {
    SubscriptionId::new(next_number())
}

/// The id of a stage or an [`EventStream`](crate::EventStream): unique in this process
/// and never reused.
///
/// ```
/// use stage_runtime::operators::from_iter;
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let numbers = from_iter(0..3).stage().spawn();
/// assert_eq!(numbers.id().to_string(), format!("stage {}", numbers.id().get()));
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct StageId(u64);

impl StageId {
    /// Returns the id for a new stage or stream.
    pub(crate) fn next() -> Self {
        Self(next_number())
    }

    /// Makes an id for a snapshot that a test builds by hand.
    #[cfg(test)]
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number, which is at least 1.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for StageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stage {}", self.0)
    }
}
