//! [`fill`]: appends an iterator's events to the spare capacity of a vector.
#![expect(unsafe_code, reason = "see the module above")]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::{ptr, slice};

/// Appends the events of an iterator to `to`, in its first `room` spare slots.
/// Stops at an event for which no slot is left, and returns that event. If
/// `events` panics, the events it had yielded are in `to`.
///
/// # Panics
///
/// If `to` has fewer than `room` spare slots.
// Internal iteration: the iterator runs its own loop. `Break` carries no value,
// so that the compiler sees only two counters.
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

/// Spare slots of a vector that are being filled. On drop, also by a panic, the
/// filled slots become part of the vector.
///
/// # Invariants
///
/// - `slots` are the last of the first `room` spare slots of `to`; the slots
///   before them are initialised.
/// - Only the length of `to` is accessed, so that `slots` is the only reference
///   to its spare capacity.
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
            // SAFETY: the slots stay allocated for as long as `to` is borrowed
            // and does not grow, and nothing else refers to them in the
            // meantime.
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
        // SAFETY: the first `filled` spare slots are initialised, and they are
        // within the capacity.
        unsafe { self.to.set_len(self.to.len() + filled) }
    }
}

/// Moves the events of `from` behind those in `to`.
///
/// # Safety
///
/// `from` must hold initialised events that the caller no longer owns. It must
/// not overlap the allocation of `to`, which must have room for all of them.
#[inline]
pub(super) unsafe fn append<E>(from: *const [E], to: &mut Vec<E>) {
    let len = to.len();
    // SAFETY: the caller guarantees it; the free room starts at `len`.
    unsafe {
        ptr::copy_nonoverlapping(from.cast::<E>(), to.as_mut_ptr().add(len), from.len());
        to.set_len(len + from.len());
    }
}
