//! The clock of the runtime, for the stages; what decides takes time as an argument.

use std::time::{Duration, Instant};

/// Returns the time of the runtime, which tests can pause.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Returns the time after `delay`. A delay that ends too late for an [`Instant`], such as
/// [`Duration::MAX`], ends in 30 years.
pub(crate) fn after(now: Instant, delay: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    now.checked_add(delay).unwrap_or(now + FAR)
}
