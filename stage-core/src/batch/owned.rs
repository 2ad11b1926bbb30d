//! Events in an allocation of which any part may be theirs.
//!
//! All unsafe code of the libraries is in this file. Nothing outside of it can
//! reach the fields, and so nothing can break what is promised of them.
#![expect(
    unsafe_code,
    reason = "no vector of the standard library can be taken from at the front"
)]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

use std::mem::{self, MaybeUninit};
use std::ops::ControlFlow;
use std::{ptr, slice};

/// A vector that is taken from at the front without moving what is left.
///
/// # Invariants
///
/// - `buffer.len()` is 0, so that to the vector its whole allocation is spare.
/// - `head + len <= buffer.capacity()`.
/// - The slots from `head` on, `len` of them, are initialised, and the events in
///   them are owned by `self`. An event that is moved out or dropped is taken
///   off `len` first: foreign code, such as its destructor, may panic.
pub(super) struct Owned<E> {
    buffer: Vec<E>,
    head: usize,
    len: usize,
}

impl<E> Owned<E> {
    #[inline]
    pub(super) const fn new() -> Self {
        Self {
            buffer: Vec::new(),
            head: 0,
            len: 0,
        }
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) const fn as_slice(&self) -> &[E] {
        // SAFETY: these slots are within the allocation and initialised, and
        // nobody changes them while the slice borrows `self`.
        unsafe { slice::from_raw_parts(self.buffer.as_ptr().add(self.head), self.len) }
    }

    #[inline]
    pub(super) const fn as_mut_slice(&mut self) -> &mut [E] {
        // SAFETY: as for `as_slice`; the slice borrows `self` for itself alone.
        unsafe { slice::from_raw_parts_mut(self.buffer.as_mut_ptr().add(self.head), self.len) }
    }

    #[inline]
    pub(super) const fn pop_front(&mut self) -> Option<E> {
        if self.len == 0 {
            return None;
        }
        let at = self.head;
        self.head += 1;
        self.len -= 1;
        // SAFETY: there was an event at `at`, and from now on it is not ours.
        Some(unsafe { self.buffer.as_ptr().add(at).read() })
    }

    /// Drops the first `count` events, or all. One that panics when it is
    /// dropped keeps neither the others nor the allocation from their end.
    #[inline]
    pub(super) fn drop_front(&mut self, count: usize) {
        let count = count.min(self.len);
        let front: *mut [E] = &raw mut self.as_mut_slice()[..count];
        self.head += count;
        self.len -= count;
        // SAFETY: there were events in all of these slots, and from now on they
        // are not ours: whatever their destructors do, they run once.
        unsafe { ptr::drop_in_place(front) }
    }

    /// Moves the first `count` events behind those in `to`.
    ///
    /// # Panics
    ///
    /// If there are not as many.
    #[inline]
    pub(super) fn move_front(&mut self, count: usize, to: &mut Vec<E>) {
        let from: *const [E] = &raw const self.as_slice()[..count];
        to.reserve(count);
        self.head += count;
        self.len -= count;
        // SAFETY: there were events in all of these slots, which are not ours
        // from now on; `to` has room for them, in an allocation of its own.
        unsafe { append(from, to) }
    }

    /// Moves the events from `at` on behind those in `to`.
    ///
    /// # Panics
    ///
    /// If there are not as many as `at`.
    #[inline]
    pub(super) fn move_tail(&mut self, at: usize, to: &mut Vec<E>) {
        let from: *const [E] = &raw const self.as_slice()[at..];
        to.reserve(from.len());
        self.len = at;
        // SAFETY: as in `move_front`.
        unsafe { append(from, to) }
    }

    /// Trades all events for those in `other`, and the allocations with them.
    /// The events move to the front of theirs if they are not there.
    #[inline]
    pub(super) fn swap(&mut self, other: &mut Vec<E>) {
        let (head, len) = (self.head, self.len);
        self.head = 0;
        self.len = other.len();
        mem::swap(&mut self.buffer, other);
        // SAFETY: nothing is said of slots beyond 0. The events in them are
        // those that `len` counts.
        unsafe { self.buffer.set_len(0) }
        let start = other.as_mut_ptr();
        if head > 0 {
            // SAFETY: from the events, where they were, to where as many slots
            // are of the same allocation; `copy` is for parts that overlap.
            unsafe { ptr::copy(start.add(head), start, len) }
        }
        // SAFETY: the first `len` slots hold the events, which were ours.
        unsafe { other.set_len(len) }
    }

    #[inline]
    pub(super) fn take_vec(&mut self) -> Vec<E> {
        let mut events = Vec::new();
        self.swap(&mut events);
        events
    }

    /// Drops all events, and takes the allocation.
    #[inline]
    pub(super) fn take_buffer(&mut self) -> Vec<E> {
        self.drop_front(self.len);
        self.head = 0;
        mem::take(&mut self.buffer)
    }

    /// Takes event after event, and keeps those that were not taken when it is
    /// dropped.
    #[inline]
    pub(super) fn taking(&mut self) -> Taking<'_, E> {
        let Self { buffer, head, len } = self;
        let end = *head + *len;
        // Whoever forgets a `Taking` leaks what it had not taken.
        *len = 0;
        Taking {
            slots: buffer.spare_capacity_mut()[*head..end].iter_mut(),
            end,
            head,
            len,
        }
    }
}

impl<E> From<Vec<E>> for Owned<E> {
    #[inline]
    fn from(mut buffer: Vec<E>) -> Self {
        let len = buffer.len();
        // SAFETY: nothing is said of slots beyond 0. The events are owned by
        // what is made here.
        unsafe { buffer.set_len(0) }
        Self {
            buffer,
            head: 0,
            len,
        }
    }
}

impl<E> Drop for Owned<E> {
    #[inline]
    fn drop(&mut self) {
        self.drop_front(self.len);
    }
}

/// The iterator over an [`Owned`] which takes its events.
///
/// # Invariants
///
/// - `slots` are those from `end - slots.len()` to `end`, all initialised, and
///   the events in them are owned by `self`.
/// - `head` and `len` are those of the `Owned`; `len` is 0.
pub(super) struct Taking<'a, E> {
    slots: slice::IterMut<'a, MaybeUninit<E>>,
    end: usize,
    head: &'a mut usize,
    len: &'a mut usize,
}

impl<E> Taking<'_, E> {
    #[inline]
    pub(super) fn as_slice(&self) -> &[E] {
        let slots = self.slots.as_slice();
        // SAFETY: they are initialised, and a slot is laid out as its event is.
        unsafe { slice::from_raw_parts(slots.as_ptr().cast(), slots.len()) }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// How many events were taken.
    #[inline]
    pub(super) fn taken(&self) -> usize {
        self.end - *self.head - self.slots.len()
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<E> {
        let slot = self.slots.next()?;
        // SAFETY: there was an event in it, and as it is none of `slots` any
        // more, the event is not ours from now on.
        Some(unsafe { slot.assume_init_read() })
    }
}

impl<E> Drop for Taking<'_, E> {
    #[inline]
    fn drop(&mut self) {
        // The events in `slots` are the `Owned`'s again.
        let left = self.slots.len();
        *self.head = self.end - left;
        *self.len = left;
    }
}

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
unsafe fn append<E>(from: *const [E], to: &mut Vec<E>) {
    let len = to.len();
    // SAFETY: the caller says so; the room starts at `len`.
    unsafe {
        ptr::copy_nonoverlapping(from.cast::<E>(), to.as_mut_ptr().add(len), from.len());
        to.set_len(len + from.len());
    }
}
