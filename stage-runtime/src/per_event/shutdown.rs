//! How children are stopped.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// What happens to the children that run when their stage ends, however it
/// ends; and to one that [`StopChild`](super::StopChild) names.
///
/// A child is *asked* by its [`ShutdownSignal`], if its closure takes one. A
/// child that is aborted ends at its next `await`: one that blocks its thread
/// ends when it has done so.
///
/// A stage that completes does so after its last child, and has none to stop.
///
/// Source: the `:shutdown` value of a child in `ConsumerSupervisor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// Children are aborted at once.
    Immediately,
    /// Children are asked to stop, and aborted if they are still there when
    /// this time has passed. The default, with 5 s. On a runtime without a
    /// timer they are aborted at once, and `StopChild` fails the stage if the
    /// child takes a signal.
    After(Duration),
    /// Children are asked to stop, and waited for as long as it takes.
    Unlimited,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::After(Duration::from_secs(5))
    }
}

/// Tells a child that it is to stop: its closure gets one from
/// [`per_event_with`](super::per_event_with). Cheap to clone.
///
/// A child that stops because of it returns `Ok` if that leaves nothing undone,
/// and an error to be counted as failed; it is not restarted.
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
/// The default is a signal that never comes: for tests of such a closure.
#[derive(Debug, Clone, Default)]
pub struct ShutdownSignal(Option<Arc<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    requested: AtomicBool,
    notify: Notify,
}

impl ShutdownSignal {
    /// One that can be requested.
    pub(super) fn new() -> Self {
        Self(Some(Arc::default()))
    }

    /// Whether there is anybody to tell.
    pub(super) const fn is_heard(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn request(&self) {
        if let Some(inner) = &self.0 {
            inner.requested.store(true, Ordering::Release);
            inner.notify.notify_waiters();
        }
    }

    /// Whether the child is to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|inner| inner.requested.load(Ordering::Acquire))
    }

    /// Waits until the child is to stop; at once if it is already.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn requested(&self) {
        let Some(inner) = &self.0 else {
            return pending().await;
        };
        // Before the flag is read: a request in between wakes it.
        let notified = inner.notify.notified();
        if !inner.requested.load(Ordering::Acquire) {
            notified.await;
        }
    }
}
