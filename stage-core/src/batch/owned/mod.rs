//! `Owned`: a vector that is taken from at the front and split without moving
//! events.
//!
//! All unsafe code of the libraries is in the four files of this folder. Code
//! outside it cannot access the private fields, and so cannot break the
//! invariants.
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

/// A vector that is taken from at the front without moving the rest, and split
/// in two without moving any event.
///
/// # Invariants
///
/// - `head + len <= store.capacity()`.
/// - The `len` slots from `head` on are initialised and belong to no other
///   batch, and `self` owns the events in them. `len` is reduced before an
///   event is moved out or dropped, because foreign code, such as a destructor,
///   may panic.
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
        // nothing writes to them while the slice borrows `self`.
        unsafe { slice::from_raw_parts(self.store.start().add(self.head), self.len) }
    }

    #[inline]
    pub(super) fn as_mut_slice(&mut self) -> &mut [E] {
        // SAFETY: as in `as_slice`; no other batch has these slots, and the
        // slice borrows `self` exclusively.
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
        // SAFETY: slot `at` held an event, which `self` no longer owns: `head`
        // is past it.
        Some(unsafe { self.store.start().add(at).read() })
    }

    /// Drops the first `count` events, or all if there are fewer. If a
    /// destructor panics, the other events are dropped and the allocation is
    /// freed nevertheless.
    #[inline]
    pub(super) fn drop_front(&mut self, count: usize) {
        let count = count.min(self.len);
        let front: *mut [E] = &raw mut self.as_mut_slice()[..count];
        self.head += count;
        self.len -= count;
        // SAFETY: all of these slots held events, which `self` no longer owns:
        // `head` is past them. So each destructor runs once, even if one of
        // them panics.
        unsafe { ptr::drop_in_place(front) }
    }

    /// Moves the first `count` events behind those in `to`.
    ///
    /// # Panics
    ///
    /// If there are fewer than `count` events.
    #[inline]
    pub(super) fn move_front(&mut self, count: usize, to: &mut Vec<E>) {
        let from: *const [E] = &raw const self.as_slice()[..count];
        to.reserve(count);
        self.head += count;
        self.len -= count;
        // SAFETY: all of these slots held events, which `self` no longer owns:
        // `head` is past them. `to` has room for them, in an allocation of its
        // own.
        unsafe { append(from, to) }
    }

    /// Moves the events from index `at` on behind those in `to`.
    ///
    /// # Panics
    ///
    /// If there are fewer than `at` events.
    #[inline]
    pub(super) fn move_tail(&mut self, at: usize, to: &mut Vec<E>) {
        let from: *const [E] = &raw const self.as_slice()[at..];
        to.reserve(from.len());
        self.len = at;
        // SAFETY: as in `move_front`; here `len` excludes the events.
        unsafe { append(from, to) }
    }

    /// Splits off the events from index `at` on. No event is moved: the two
    /// share the allocation and have disjoint slots in it.
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

    /// Returns `true` if other batches may have slots in the same allocation.
    #[inline]
    pub(super) const fn is_part(&self) -> bool {
        matches!(self.store, Store::Part(_))
    }

    /// Returns the capacity of the allocation, in events.
    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.store.capacity()
    }

    /// Exchanges all events, and the allocation, with `other`. The events are
    /// moved if they do not start at the front of the allocation, or if it is
    /// shared.
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
        // SAFETY: a length of 0 claims no slot as initialised. `len` counts the
        // events in them.
        unsafe { buffer.set_len(0) }
        let start = other.as_mut_ptr();
        if head > 0 {
            // SAFETY: `len` events start at `head`, and as many slots of the
            // same allocation start at 0; `copy` allows the two to overlap.
            unsafe { ptr::copy(start.add(head), start, len) }
        }
        // SAFETY: the first `len` slots hold the events that `self` owned
        // before.
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

    /// Drops all events and returns the allocation, unless other batches have
    /// slots in it.
    #[inline]
    pub(super) fn take_buffer(&mut self) -> Option<Vec<E>> {
        self.drop_front(self.len);
        self.head = 0;
        mem::take(&mut self.store).into_last()
    }

    /// Returns an iterator that takes the events one by one. When it is
    /// dropped, `self` gets back the events not taken.
    #[inline]
    pub(super) fn taking(&mut self) -> Taking<'_, E> {
        let start = self.store.start_mut().cast::<MaybeUninit<E>>();
        let Self { head, len, .. } = self;
        // SAFETY: these slots are owned by `self`, which is borrowed
        // exclusively, and are initialised, which `MaybeUninit` allows.
        let slots = unsafe { slice::from_raw_parts_mut(start.add(*head), *len) };
        // `len` is 0 until the drop, so that forgetting a `Taking` leaks the
        // events it has not taken.
        let end = *head + mem::take(len);
        Taking::new(slots, end, head, len)
    }
}

impl<E> From<Vec<E>> for Owned<E> {
    #[inline]
    fn from(mut buffer: Vec<E>) -> Self {
        let len = buffer.len();
        // SAFETY: a length of 0 claims no slot as initialised. The new `Owned`
        // owns the events.
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
