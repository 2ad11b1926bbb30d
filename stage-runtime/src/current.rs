//! The stage that this thread is polling.
//!
//! A handler that waits for its own stage would deadlock; methods that wait look here
//! and return an error instead.

use std::cell::Cell;

use crate::stage_id::StageId;

thread_local! {
    static CURRENT: Cell<Option<StageId>> = const { Cell::new(None) };
}

/// Returns the stage that this thread is polling. The caller is one of its handlers, or
/// runs inside one.
pub(crate) fn current_stage() -> Option<StageId> {
    CURRENT.get()
}

/// A guard that marks the thread as polling a stage.
pub(crate) struct Entered {
    /// The outer stage, for a stage that is polled inside a handler of another one.
    before: Option<StageId>,
}

impl Entered {
    /// Marks the thread until the guard is dropped.
    #[inline]
    pub(crate) fn new(stage: StageId) -> Self {
        Self {
            before: CURRENT.replace(Some(stage)),
        }
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}
