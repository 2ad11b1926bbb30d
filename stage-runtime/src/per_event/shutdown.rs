//! [`Shutdown`] and [`ShutdownSignal`]: how children are stopped.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// The shutdown policy of children. It applies to all running children when their stage
/// ends, for whatever reason, and to the child that [`StopChild`](super::StopChild) names.
///
/// A child is *asked* to stop by its [`ShutdownSignal`], if its closure takes one. A child
/// that is aborted ends at its next `await`; a child that blocks its thread continues until
/// then.
///
/// A stage that completes has no children to stop: it completes after the last one.
///
/// Source: the `:shutdown` value of a child in `ConsumerSupervisor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// Children are aborted at once.
    Immediately,
    /// Children are asked to stop, and aborted if they still run when this time has passed.
    /// The default, with 5 s.
    ///
    /// On a runtime without a timer they are aborted at once, and `StopChild` fails the
    /// stage if the child takes a signal.
    After(Duration),
    /// Children are asked to stop, and awaited without a limit.
    Unlimited,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::After(Duration::from_secs(5))
    }
}

/// The signal that asks a child to stop: the second argument of the closure of
/// [`per_event_with`](super::per_event_with). Cheap to clone.
///
/// A child that stops early returns `Ok` to be counted as completed, or an error to be
/// counted as failed. It does not restart.
///
/// ```
/// use std::time::Duration;
/// use stage_runtime::{prelude::*, per_event::{ShutdownSignal, StartChild, per_event_with}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let poller = per_event_with(async |url: &str, signal: ShutdownSignal| {
///     while !signal.is_requested() {
///         // Look at `url`, then:
///         tokio::select! {
///             () = tokio::time::sleep(Duration::from_secs(60)) => {}
///             () = signal.requested() => {}
///         }
///     }
///     Ok(())
/// });
/// let handle = poller.counts_handle();
/// let poller = poller.stage().spawn();
/// poller.call(StartChild("https://www.rust-lang.org")).await??;
/// poller.stop("enough");
/// poller.outcome().await;
/// assert_eq!((handle.counts().completed, handle.counts().stopped), (1, 0));
/// # Ok(())
/// # }
/// ```
///
/// The default value is a signal that is never sent, for tests of such a closure.
#[derive(Debug, Clone, Default)]
pub struct ShutdownSignal(Option<Arc<Inner>>);

/// The shared state of the clones of a signal.
#[derive(Debug, Default)]
struct Inner {
    requested: AtomicBool,
    notify: Notify,
}

impl ShutdownSignal {
    /// Returns a signal that can be sent.
    pub(super) fn new() -> Self {
        Self(Some(Arc::default()))
    }

    /// Returns `true` if the child has been given the signal.
    pub(super) const fn is_heard(&self) -> bool {
        self.0.is_some()
    }

    /// Sends the signal.
    pub(super) fn request(&self) {
        if let Some(inner) = &self.0 {
            inner.requested.store(true, Ordering::Release);
            inner.notify.notify_waiters();
        }
    }

    /// Returns `true` if the child has been asked to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|inner| inner.requested.load(Ordering::Acquire))
    }

    /// Waits until the child is asked to stop. Returns at once if it has been asked already.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn requested(&self) {
        let Some(inner) = &self.0 else {
            return pending().await;
        };
        // Created before the flag is read, so that a request in between wakes it.
        let notified = inner.notify.notified();
        if !inner.requested.load(Ordering::Acquire) {
            notified.await;
        }
    }
}
