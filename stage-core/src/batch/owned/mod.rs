//! Events in an allocation of which any part may be theirs.
//!
//! All unsafe code of the libraries is in this folder. Nothing outside of it can
//! reach the fields, and so nothing can break what is promised of them.
#![expect(
    unsafe_code,
    reason = "no vector of the standard library can be taken from at the front"
)]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod fill;
mod store;
mod taking;

use std::mem::{self, MaybeUninit};
use std::{ptr, slice};

pub(crate) use fill::fill;
pub(super) use taking::Taking;

use fill::append;
use store::Store;

/// A vector that is taken from at the front without moving what is left, and that
/// can be cut in two without moving anything.
///
/// # Invariants
///
/// - `head + len <= store.capacity()`.
/// - The slots from `head` on, `len` of them, are initialised and are nobody
///   else's, and the events in them are owned by `self`. An event that is moved
///   out or dropped is taken off `len` first: foreign code, such as its
///   destructor, may panic.
pub(super) struct Owned<E> {
    store: Store<E>,
    head: usize,
    len: usize,
}

impl<E> Owned<E> {
    #[inline]
    pub(super) const fn new() -> Self {
        Self {
            store: Store::new(),
            head: 0,
            len: 0,
        }
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[E] {
        // SAFETY: these slots are within the allocation and initialised, and
        // nobody changes them while the slice borrows `self`.
        unsafe { slice::from_raw_parts(self.store.start().add(self.head), self.len) }
    }

    #[inline]
    pub(super) fn as_mut_slice(&mut self) -> &mut [E] {
        // SAFETY: as for `as_slice`; the slice borrows `self` for itself alone.
        unsafe { slice::from_raw_parts_mut(self.store.start_mut().add(self.head), self.len) }
    }

    #[inline]
    pub(super) fn pop_front(&mut self) -> Option<E> {
        if self.len == 0 {
            return None;
        }
        let at = self.head;
        self.head += 1;
        self.len -= 1;
        // SAFETY: there was an event at `at`, and from now on it is not ours.
        Some(unsafe { self.store.start().add(at).read() })
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

    /// Cuts off the events from `at` on. Nothing is moved: the two have the same
    /// allocation from now on, each its own slots.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        let at = at.min(self.len);
        let back = Self {
            store: self.store.share(),
            head: self.head + at,
            len: self.len - at,
        };
        self.len = at;
        back
    }

    /// Whether other batches may have slots in the same allocation.
    #[inline]
    pub(super) const fn is_part(&self) -> bool {
        matches!(self.store, Store::Part(_))
    }

    /// Of the allocation, in events.
    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.store.capacity()
    }

    /// Trades all events for those in `other`, and the allocations with them.
    /// The events move if they are not at the front of theirs, or if that is not
    /// theirs alone.
    #[inline]
    pub(super) fn swap(&mut self, other: &mut Vec<E>) {
        let Store::Whole(buffer) = &mut self.store else {
            let events = self.take_part();
            *self = Self::from(mem::replace(other, events));
            return;
        };
        let (head, len) = (self.head, self.len);
        self.head = 0;
        self.len = other.len();
        mem::swap(buffer, other);
        // SAFETY: nothing is said of slots beyond 0. The events in them are
        // those that `len` counts.
        unsafe { buffer.set_len(0) }
        let start = other.as_mut_ptr();
        if head > 0 {
            // SAFETY: from the events, where they were, to where as many slots
            // are of the same allocation; `copy` is for parts that overlap.
            unsafe { ptr::copy(start.add(head), start, len) }
        }
        // SAFETY: the first `len` slots hold the events, which were ours.
        unsafe { other.set_len(len) }
    }

    #[inline(never)]
    fn take_part(&mut self) -> Vec<E> {
        let mut events = Vec::new();
        self.move_front(self.len, &mut events);
        events
    }

    #[inline]
    pub(super) fn take_vec(&mut self) -> Vec<E> {
        let mut events = Vec::new();
        self.swap(&mut events);
        events
    }

    /// Drops all events, and takes the allocation, unless others have slots in
    /// it.
    #[inline]
    pub(super) fn take_buffer(&mut self) -> Option<Vec<E>> {
        self.drop_front(self.len);
        self.head = 0;
        mem::take(&mut self.store).into_last()
    }

    /// Takes event after event, and keeps those that were not taken when it is
    /// dropped.
    #[inline]
    pub(super) fn taking(&mut self) -> Taking<'_, E> {
        let start = self.store.start_mut().cast::<MaybeUninit<E>>();
        let Self { head, len, .. } = self;
        // SAFETY: these slots are ours, and initialised as well.
        let slots = unsafe { slice::from_raw_parts_mut(start.add(*head), *len) };
        // Whoever forgets a `Taking` leaks what it had not taken.
        let end = *head + mem::take(len);
        Taking::new(slots, end, head, len)
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
            store: Store::Whole(buffer),
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
