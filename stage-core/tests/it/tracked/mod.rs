//! Events of which it is known how often each was dropped, and panics that are
//! meant.

#![allow(dead_code, reason = "no test uses all of it")]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind, set_hook, take_hook};
use std::sync::Once;

/// What a test puts into a batch.
pub(crate) trait Event: Clone + Debug + Send + Sync + 'static {
    fn new(value: u32) -> Self;
    /// The value it was made with, as far as it remembers.
    fn value(&self) -> u32;
    fn change(&mut self);
    /// The value of one that had `value` before it was changed.
    fn changed(value: u32) -> u32 {
        value.wrapping_add(1)
    }
}

impl Event for u32 {
    fn new(value: u32) -> Self {
        value
    }

    fn value(&self) -> u32 {
        *self
    }

    fn change(&mut self) {
        *self = Self::changed(*self);
    }
}

thread_local! {
    static NEXT: Cell<u64> = const { Cell::new(0) };
    static ALIVE: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
    static EMPTY_ALIVE: Cell<usize> = const { Cell::new(0) };
}

/// On the heap, so that a second drop is also seen by tools that watch memory.
/// One in seven panics when it is dropped, unless a panic is under way.
#[derive(Debug)]
pub(crate) struct Tracked {
    serial: u64,
    value: Box<u32>,
}

impl Event for Tracked {
    fn new(value: u32) -> Self {
        let serial = NEXT.replace(NEXT.get() + 1);
        ALIVE.with_borrow_mut(|alive| alive.insert(serial));
        Self {
            serial,
            value: Box::new(value),
        }
    }

    fn value(&self) -> u32 {
        *self.value
    }

    fn change(&mut self) {
        *self.value = Self::changed(*self.value);
    }
}

impl Clone for Tracked {
    fn clone(&self) -> Self {
        Self::new(*self.value)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let alive = ALIVE.with_borrow_mut(|alive| alive.remove(&self.serial));
        assert!(alive, "dropped twice");
        panic_by(*self.value);
    }
}

/// So large that a few of them are left where they are when a batch is split.
#[derive(Debug, Clone)]
pub(crate) struct Bulky {
    event: Tracked,
    _bulk: [u64; 126],
}

impl Event for Bulky {
    fn new(value: u32) -> Self {
        Self {
            event: Tracked::new(value),
            _bulk: [0; 126],
        }
    }

    fn value(&self) -> u32 {
        self.event.value()
    }

    fn change(&mut self) {
        self.event.change();
    }
}

/// Without a size; of these, only the number is known.
#[derive(Debug)]
pub(crate) struct Empty;

impl Event for Empty {
    fn new(_value: u32) -> Self {
        EMPTY_ALIVE.set(EMPTY_ALIVE.get() + 1);
        Self
    }

    fn value(&self) -> u32 {
        0
    }

    fn change(&mut self) {}

    fn changed(value: u32) -> u32 {
        value
    }
}

impl Clone for Empty {
    fn clone(&self) -> Self {
        Self::new(0)
    }
}

impl Drop for Empty {
    fn drop(&mut self) {
        let others = EMPTY_ALIVE.get().checked_sub(1);
        EMPTY_ALIVE.set(others.expect("one was dropped twice"));
        panic_by(NEXT.replace(NEXT.get() + 1) as u32);
    }
}

fn panic_by(value: u32) {
    if value % 7 == 3 && !std::thread::panicking() {
        panic_any(Quiet);
    }
}

/// Events of this thread that were made and not dropped.
pub(crate) fn alive() -> usize {
    EMPTY_ALIVE.get() + ALIVE.with_borrow(BTreeSet::len)
}

/// What is panicked with on purpose; not a message, so that the test does not
/// look as if it had failed.
#[derive(Debug)]
pub(crate) struct Quiet;

/// Runs what may panic with [`Quiet`]; says whether it did.
pub(crate) fn panics(test: impl FnOnce()) -> bool {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let default = take_hook();
        set_hook(Box::new(move |info| {
            if !info.payload().is::<Quiet>() {
                default(info);
            }
        }));
    });
    let result = catch_unwind(AssertUnwindSafe(test));
    result
        .inspect_err(|payload| unexpected(&**payload))
        .is_err()
}

fn unexpected(payload: &(dyn Any + Send)) {
    if !payload.is::<Quiet>() {
        resume_unwind(Box::new(stage_core::panic_message(payload)));
    }
}
