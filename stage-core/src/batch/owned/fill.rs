//! Putting events into a vector, as fast as into an array.
#![expect(unsafe_code, reason = "see the module above")]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::{ptr, slice};

/// Puts what `events` yields behind the events in `to`, into the first `room`
/// spare slots, and stops at an event for which there is none: that one is
/// returned. When `events` panics, what it had yielded is in `to`.
///
/// # Panics
///
/// If `to` has less room.
// The loop runs inside of the iterator, which knows its own end best, and leaves
// it by a `break` that carries nothing: the compiler then sees two counters.
#[inline]
pub(crate) fn fill<E>(
    to: &mut Vec<E>,
    room: usize,
    events: &mut impl Iterator<Item = E>,
) -> Option<E> {
    let mut filling = Filling::new(to, room);
    let mut over = None;
    let _ = events.try_for_each(|event| match filling.slots.next() {
        Some(slot) => {
            slot.write(event);
            ControlFlow::Continue(())
        }
        None => {
            over = Some(event);
            ControlFlow::Break(())
        }
    });
    over
}

/// Slots to be filled, which are the vector's when this is dropped, also by a
/// panic.
///
/// # Invariants
///
/// - `slots` is the end of the first `room` slots behind the events in `to`, and
///   all slots before it are initialised.
/// - `to` is used for its length only, so that nothing but `slots` leads there.
struct Filling<'a, E> {
    slots: slice::IterMut<'a, MaybeUninit<E>>,
    room: usize,
    to: &'a mut Vec<E>,
}

impl<'a, E> Filling<'a, E> {
    #[inline]
    fn new(to: &'a mut Vec<E>, room: usize) -> Self {
        let slots: *mut [MaybeUninit<E>] = &raw mut to.spare_capacity_mut()[..room];
        Self {
            // SAFETY: they are there for as long as `to` is borrowed and does
            // not grow, and meanwhile nothing else leads to them.
            slots: unsafe { &mut *slots }.iter_mut(),
            room,
            to,
        }
    }
}

impl<E> Drop for Filling<'_, E> {
    #[inline]
    fn drop(&mut self) {
        let filled = self.room - self.slots.len();
        // SAFETY: as many slots behind the events are initialised, and there is
        // room for them.
        unsafe { self.to.set_len(self.to.len() + filled) }
    }
}

/// Copies `from` behind the events in `to`.
///
/// # Safety
///
/// `from` holds events, which the caller no longer owns, and is not in the
/// allocation of `to`, which has room for them.
#[inline]
pub(super) unsafe fn append<E>(from: *const [E], to: &mut Vec<E>) {
    let len = to.len();
    // SAFETY: the caller says so; the room starts at `len`.
    unsafe {
        ptr::copy_nonoverlapping(from.cast::<E>(), to.as_mut_ptr().add(len), from.len());
        to.set_len(len + from.len());
    }
}
