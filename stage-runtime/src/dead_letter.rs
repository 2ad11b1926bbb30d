//! Dead letters: events that a stage could not handle, for a hook of the user.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use stage_core::Failure;

/// Events that a stage could not handle or send, with the failure; the argument of a
/// dead-letter hook.
#[derive(Debug)]
#[non_exhaustive]
pub struct DeadLetter<E> {
    /// The name of the stage.
    pub stage: Arc<str>,
    /// The error or panic.
    pub failure: Failure,
    /// The events that the handler had in hand when it failed and that the stage still
    /// owns, oldest first; usually one.
    ///
    /// The stage owns the event in hand if the handler reads it in place
    /// ([`Batch::peek`](stage_core::Batch::peek),
    /// [`for_each_ref`](crate::operators::for_each_ref)), or if the stage
    /// [retains](crate::builder::ConsumerBuilder::retain_taken) a copy.
    pub events: Vec<E>,
    /// How many events were moved into the handler and are lost with it.
    pub lost: usize,
}

/// A dead-letter hook of the user.
pub(crate) type Hook<E> = Box<dyn FnMut(DeadLetter<E>) + Send>;

impl<E> DeadLetter<E> {
    /// Calls the user's hook, and catches a panic in it.
    pub(crate) fn give_to(self, hook: &mut Hook<E>) {
        let stage = Arc::clone(&self.stage);
        if catch_unwind(AssertUnwindSafe(|| hook(self))).is_err() {
            tracing::error!(%stage, "the hook for events that could not be dealt with panicked");
        }
    }
}

/// Copies a batch before its handler may take from it.
pub(crate) type CloneBatch<E> = fn(&[E]) -> Vec<E>;
