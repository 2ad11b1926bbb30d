//! Where events go that a handler failed on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use stage_core::Failure;

/// What a stage could not deal with; what a dead-letter hook is called with.
#[derive(Debug)]
#[non_exhaustive]
pub struct DeadLetter<E> {
    /// The name of the stage.
    pub stage: Arc<str>,
    /// What went wrong.
    pub failure: Failure,
    /// The events that the handler had in hand when it failed and that the
    /// stage still owns, oldest first; most often one.
    ///
    /// The stage owns the event in hand where the handler reads it in place
    /// ([`Batch::peek`](stage_core::Batch::peek),
    /// [`for_each_ref`](crate::operators::for_each_ref)) and where it
    /// [keeps](crate::builder::ConsumerBuilder::retain_taken) a copy.
    pub events: Vec<E>,
    /// How many events were moved into the handler and are gone with it.
    pub lost: usize,
}

/// The user's hook.
pub(crate) type Hook<E> = Box<dyn FnMut(DeadLetter<E>) + Send>;

impl<E> DeadLetter<E> {
    /// Calls the user's hook, which may panic.
    pub(crate) fn give_to(self, hook: &mut Hook<E>) {
        let stage = Arc::clone(&self.stage);
        if catch_unwind(AssertUnwindSafe(|| hook(self))).is_err() {
            tracing::error!(%stage, "the hook for events that could not be dealt with panicked");
        }
    }
}

/// Copies a batch before its handler may take from it.
pub(crate) type CloneBatch<E> = fn(&[E]) -> Vec<E>;
