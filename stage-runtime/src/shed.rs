//! Shed events: events that a full buffer or a full queue dropped, for a hook of
//! the user.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use stage_core::Batch;

/// Events that a buffer or a queue had no room for, or that nobody was there to
/// take; the argument of a shed hook.
#[derive(Debug)]
#[non_exhaustive]
pub struct Shed<E> {
    /// The name of the stage or queue.
    pub stage: Arc<str>,
    /// Why the events were dropped.
    pub reason: ShedReason,
    /// The events, oldest first. They are dropped after the hook unless it takes
    /// them.
    pub events: Batch<E>,
}

/// The reason why events were shed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShedReason {
    /// The buffer or queue was full.
    Full,
    /// No consumer was subscribed, and the buffer had no room for what nobody
    /// asked for; or the source emitted it after it had told its consumers that it
    /// has completed.
    NoSubscriber,
    /// The stage ended with these events left.
    StageEnded,
}

/// A shed hook of the user.
pub(crate) type ShedHook<E> = Box<dyn FnMut(Shed<E>) + Send>;

impl<E> Shed<E> {
    /// Calls the user's hook, and catches a panic in it.
    pub(crate) fn give_to(self, hook: &mut ShedHook<E>) {
        self.give(hook);
    }

    /// Calls a hook of the user, and catches a panic in it.
    pub(crate) fn give(self, hook: impl FnOnce(Self)) {
        let stage = Arc::clone(&self.stage);
        if catch_unwind(AssertUnwindSafe(|| hook(self))).is_err() {
            tracing::error!(%stage, "the hook for events that were shed panicked");
        }
    }
}
