//! Events that a batch has for itself: where they are, and which are left.
//!
//! The only unsafe code of the workspace. A queue that is filled as a whole,
//! taken from in front, and cut into parts, without an event being looked at on
//! the way, is not to be had of the standard library: `Vec` has no front,
//! `VecDeque` wraps, and neither moves a part of itself into another vector as a
//! block, or lets go of what an iterator over it has not taken.
#![expect(
    unsafe_code,
    reason = "measured: without it, every event is moved by itself, which costs half of all the time of a pipeline that has little to do"
)]

use std::ptr;

/// A run of events in an allocation.
///
/// # Invariants
///
/// - The length of `buffer` is 0: it has the memory, and drops no event.
/// - `head + len` is at most the capacity of `buffer`.
/// - The places `head..head + len` hold events, which are this value's to drop
///   or to give away; no other place holds one that is.
pub(super) struct Owned<E> {
    buffer: Vec<E>,
    head: usize,
    len: usize,
}

impl<E> Owned<E> {
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
    pub(super) fn as_slice(&self) -> &[E] {
        // SAFETY: these places are within the allocation and hold events, by the
        // invariants; they are borrowed for as long as `self` is.
        unsafe { std::slice::from_raw_parts(self.buffer.as_ptr().add(self.head), self.len) }
    }

    #[inline]
    pub(super) fn as_mut_slice(&mut self) -> &mut [E] {
        // SAFETY: as in `as_slice`, and `self` is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.first(), self.len) }
    }

    /// Where the first event is.
    #[inline]
    fn first(&mut self) -> *mut E {
        // SAFETY: `head` is at most the capacity, by the invariants.
        unsafe { self.buffer.as_mut_ptr().add(self.head) }
    }

    #[inline]
    pub(super) fn pop_front(&mut self) -> Option<E> {
        if self.len == 0 {
            return None;
        }
        let first = self.first();
        self.head += 1;
        self.len -= 1;
        // SAFETY: it pointed at the first event, which is no longer ours.
        Some(unsafe { first.read() })
    }

    /// Drops the first `count` events, or all.
    #[inline]
    pub(super) fn drop_front(&mut self, count: usize) {
        let count = count.min(self.len);
        let dropped = ptr::slice_from_raw_parts_mut(self.first(), count);
        self.head += count;
        self.len -= count;
        // SAFETY: they are the first `count` events, and no longer ours, whether
        // or not one of them panics.
        unsafe { dropped.drop_in_place() };
    }

    /// Moves all events behind the first `at` into `to`, which is empty.
    pub(super) fn split_into(&mut self, at: usize, to: &mut Vec<E>) {
        let count = self.len.saturating_sub(at);
        to.clear();
        to.reserve(count);
        self.len -= count;
        // SAFETY: the events behind the first `at` are in the places from here on,
        // and no longer ours; `to` has room for them, and memory of its own.
        unsafe {
            let from = self.first().add(self.len);
            ptr::copy_nonoverlapping(from, to.as_mut_ptr(), count);
            to.set_len(count);
        }
    }

    /// Splits off the first `count` events, or all: the shorter of the two parts
    /// is moved into memory of its own.
    pub(super) fn split_to(&mut self, count: usize) -> Self {
        let count = count.min(self.len);
        let mut other = Vec::new();
        if self.len - count <= count {
            self.split_into(count, &mut other);
            return std::mem::replace(self, Self::from(other));
        }
        other.reserve_exact(count);
        let first = self.first();
        self.head += count;
        self.len -= count;
        // SAFETY: they are the first `count` events, and no longer ours; the
        // vector has room for as many, and memory of its own.
        unsafe {
            ptr::copy_nonoverlapping(first, other.as_mut_ptr(), count);
            other.set_len(count);
        }
        Self::from(other)
    }

    /// Takes all events, in the vector they are in.
    #[inline]
    pub(super) fn take_vec(&mut self) -> Vec<E> {
        let head = std::mem::take(&mut self.head);
        let len = std::mem::take(&mut self.len);
        let mut events = std::mem::take(&mut self.buffer);
        let base = events.as_mut_ptr();
        // SAFETY: the places from `head` on hold `len` events, which were ours;
        // at the front of the same allocation there is room for as many.
        unsafe {
            if head > 0 {
                ptr::copy(base.add(head), base, len);
            }
            events.set_len(len);
        }
        events
    }

    /// Drops all events, and takes the buffer they were in.
    #[inline]
    pub(super) fn take_buffer(&mut self) -> Vec<E> {
        if self.len > 0 {
            self.drop_front(self.len);
        }
        self.head = 0;
        std::mem::take(&mut self.buffer)
    }

    /// Moves `events` behind its own, and returns the buffer they were in, empty.
    pub(super) fn append(&mut self, mut events: Vec<E>) -> Vec<E> {
        let mut all = self.take_vec();
        all.append(&mut events);
        *self = Self::from(all);
        events
    }

    /// Goes through the events, to take them.
    #[inline]
    pub(super) fn cursor(&mut self) -> Cursor<'_, E> {
        let at = self.head;
        // A cursor that is never dropped takes its events with it.
        let end = at + std::mem::take(&mut self.len);
        let base = self.buffer.as_mut_ptr();
        Cursor {
            owned: self,
            base,
            at,
            end,
        }
    }
}

impl<E> From<Vec<E>> for Owned<E> {
    #[inline]
    fn from(mut events: Vec<E>) -> Self {
        let len = events.len();
        // SAFETY: nothing is shorter than 0. The events are ours from here on.
        unsafe { events.set_len(0) };
        Self {
            buffer: events,
            head: 0,
            len,
        }
    }
}

impl<E> Drop for Owned<E> {
    #[inline]
    fn drop(&mut self) {
        if self.len > 0 {
            self.drop_front(self.len);
        }
    }
}

/// Takes events from the front of an [`Owned`]; has what is left put back when
/// it is dropped. Its position is its own, so that a loop keeps it in a register.
pub(super) struct Cursor<'a, E> {
    /// Has no events as long as this is there.
    owned: &'a mut Owned<E>,
    base: *mut E,
    /// The places `at..end` from `base` on hold events that are this value's; they
    /// are within the allocation of `owned`.
    at: usize,
    end: usize,
}

// SAFETY: `base` points into what `owned` has borrowed alone, so this is as good
// as that reference.
unsafe impl<E: Send> Send for Cursor<'_, E> {}

// SAFETY: as above; a shared cursor shows its events and changes nothing.
unsafe impl<E: Sync> Sync for Cursor<'_, E> {}

impl<E> Cursor<'_, E> {
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.end - self.at
    }

    #[inline]
    pub(super) const fn as_slice(&self) -> &[E] {
        // SAFETY: these places hold events, which are borrowed with `self`.
        unsafe { std::slice::from_raw_parts(self.base.add(self.at), self.len()) }
    }

    #[inline]
    pub(super) const fn next(&mut self) -> Option<E> {
        if self.at == self.end {
            return None;
        }
        // SAFETY: this place holds an event.
        let event = unsafe { self.base.add(self.at).read() };
        // And here, before anything else can happen, it is no longer ours.
        self.at += 1;
        Some(event)
    }

    /// Calls `f` with all events left.
    #[inline]
    pub(super) fn for_each(&mut self, mut f: impl FnMut(E)) {
        while let Some(event) = self.next() {
            f(event);
        }
    }

    /// Puts `f` of all events left behind what is in `to`.
    #[inline]
    pub(super) fn map_into<O>(&mut self, to: &mut Vec<O>, mut f: impl FnMut(E) -> O) {
        to.reserve(self.len());
        let mut filled = Filled { len: to.len(), to };
        let places = filled.to.as_mut_ptr();
        self.for_each(|event| {
            let out = f(event);
            // SAFETY: there is room for as many as there are events, and this is
            // the first place that is not filled.
            unsafe { places.add(filled.len).write(out) };
            filled.len += 1;
        });
    }
}

impl<E> Drop for Cursor<'_, E> {
    #[inline]
    fn drop(&mut self) {
        self.owned.head = self.at;
        self.owned.len = self.end - self.at;
    }
}

/// A vector that is being filled; has as many when this is dropped, also by a
/// panic half-way.
struct Filled<'a, E> {
    to: &'a mut Vec<E>,
    /// So many places of `to` are filled, from the first on.
    len: usize,
}

impl<E> Drop for Filled<'_, E> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: that is what `len` says.
        unsafe { self.to.set_len(self.len) };
    }
}
