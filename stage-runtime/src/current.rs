//! Which stage this thread is polling, so that one which waits for itself is told.

use std::cell::Cell;

thread_local! {
    /// The number of the stage; 0 for none.
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

/// The number of the stage that is being polled, if one is: then the caller is one
/// of its handlers, or something that runs inside of one.
pub(crate) fn current_stage() -> Option<u64> {
    let stage = CURRENT.get();
    (stage != 0).then_some(stage)
}

/// While this lives, the thread polls a stage.
pub(crate) struct Entered {
    before: u64,
}

impl Entered {
    #[inline]
    pub(crate) fn new(stage: u64) -> Self {
        Self {
            before: CURRENT.replace(stage),
        }
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}
