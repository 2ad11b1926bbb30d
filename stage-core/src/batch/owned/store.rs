//! `Store`: the allocation that a batch's events are in.
#![expect(unsafe_code, reason = "see the module above")]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

/// An allocation, whole or shared with other batches. It does not know which
/// slots are initialised, and so drops no events.
pub(super) enum Store<E> {
    /// A vector of length 0, to which the whole allocation is spare capacity.
    Whole(Vec<E>),
    /// An allocation with slots that belong to other batches.
    Part(Arc<Slots<E>>),
}

impl<E> Store<E> {
    #[inline]
    pub(super) const fn new() -> Self {
        Self::Whole(Vec::new())
    }

    /// Returns the address of the first slot, to read from.
    #[inline]
    pub(super) fn start(&self) -> *const E {
        match self {
            Self::Whole(buffer) => buffer.as_ptr(),
            Self::Part(slots) => slots.start.as_ptr(),
        }
    }

    /// Returns the address of the first slot, to read from and write to.
    #[inline]
    pub(super) fn start_mut(&mut self) -> *mut E {
        match self {
            Self::Whole(buffer) => buffer.as_mut_ptr(),
            Self::Part(slots) => slots.start.as_ptr(),
        }
    }

    /// Returns the capacity in slots, including those of other batches.
    #[inline]
    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Whole(buffer) => buffer.capacity(),
            Self::Part(slots) => slots.capacity,
        }
    }

    /// Returns a second store of the same allocation. The two owners have to
    /// agree on which slots belong to which of them.
    pub(super) fn share(&mut self) -> Self {
        let slots = match self {
            Self::Whole(buffer) => Arc::new(Slots::from(std::mem::take(buffer))),
            Self::Part(slots) => Arc::clone(slots),
        };
        *self = Self::Part(Arc::clone(&slots));
        Self::Part(slots)
    }

    /// Returns the vector, if no other batch has slots in it. Of owners that
    /// release it at the same time, the last one gets it.
    #[inline]
    pub(super) fn into_last(self) -> Option<Vec<E>> {
        match self {
            Self::Whole(buffer) => Some(buffer),
            Self::Part(slots) => last(slots),
        }
    }
}

#[inline(never)]
fn last<E>(slots: Arc<Slots<E>>) -> Option<Vec<E>> {
    Arc::into_inner(slots).map(Slots::into_vec)
}

impl<E> Default for Store<E> {
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

/// The allocation of a vector, without its events.
pub(super) struct Slots<E> {
    start: NonNull<E>,
    capacity: usize,
}

// SAFETY: `Slots` gives access to an address only, not to an event, and the
// allocation may be freed on any thread.
unsafe impl<E: Send> Send for Slots<E> {}
// SAFETY: as above; code that uses the address is responsible for the slots.
unsafe impl<E: Send> Sync for Slots<E> {}

impl<E> From<Vec<E>> for Slots<E> {
    /// Leaks the events in `buffer`, if any.
    fn from(buffer: Vec<E>) -> Self {
        let mut buffer = ManuallyDrop::new(buffer);
        Self {
            // SAFETY: a vector's pointer is never null.
            start: unsafe { NonNull::new_unchecked(buffer.as_mut_ptr()) },
            capacity: buffer.capacity(),
        }
    }
}

impl<E> Slots<E> {
    fn into_vec(self) -> Vec<E> {
        let slots = ManuallyDrop::new(self);
        // SAFETY: address and capacity are those of a vector that was given up
        // in `from`, and `self` is given up here; a length of 0 claims no slot
        // as initialised.
        unsafe { Vec::from_raw_parts(slots.start.as_ptr(), 0, slots.capacity) }
    }
}

impl<E> Drop for Slots<E> {
    fn drop(&mut self) {
        // SAFETY: as in `into_vec`; `self` is not used after this.
        drop(unsafe { Vec::from_raw_parts(self.start.as_ptr(), 0, self.capacity) });
    }
}
