//! The stage that this thread is polling, so that a handler which would wait for
//! its own stage gets an error.

use std::cell::Cell;

use crate::stage_id::StageId;

thread_local! {
    static CURRENT: Cell<Option<StageId>> = const { Cell::new(None) };
}

/// The stage that is being polled: the caller is one of its handlers, or runs
/// inside one.
pub(crate) fn current_stage() -> Option<StageId> {
    CURRENT.get()
}

/// Marks the thread as polling a stage until it is dropped.
pub(crate) struct Entered {
    before: Option<StageId>,
}

impl Entered {
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
