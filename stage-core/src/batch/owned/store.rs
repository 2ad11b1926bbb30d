//! The slots that events are in.
#![expect(unsafe_code, reason = "see the module above")]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

/// An allocation, or a part in one. Knows nothing of the events in its slots, and
/// so drops none of them.
pub(super) enum Store<E> {
    /// A vector of length 0, so that to it the whole allocation is spare.
    Whole(Vec<E>),
    /// Other slots of the allocation belong to other batches.
    Part(Arc<Slots<E>>),
}

impl<E> Store<E> {
    #[inline]
    pub(super) const fn new() -> Self {
        Self::Whole(Vec::new())
    }

    /// Where the slots start, to read from.
    #[inline]
    pub(super) fn start(&self) -> *const E {
        match self {
            Self::Whole(buffer) => buffer.as_ptr(),
            Self::Part(slots) => slots.start.as_ptr(),
        }
    }

    /// Where the slots start, to read and write.
    #[inline]
    pub(super) fn start_mut(&mut self) -> *mut E {
        match self {
            Self::Whole(buffer) => buffer.as_mut_ptr(),
            Self::Part(slots) => slots.start.as_ptr(),
        }
    }

    /// In slots, those of other batches among them.
    #[inline]
    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Whole(buffer) => buffer.capacity(),
            Self::Part(slots) => slots.capacity,
        }
    }

    /// The same slots once more. Which of them are whose is up to the two who
    /// have them.
    pub(super) fn share(&mut self) -> Self {
        let slots = match self {
            Self::Whole(buffer) => Arc::new(Slots::from(std::mem::take(buffer))),
            Self::Part(slots) => Arc::clone(slots),
        };
        *self = Self::Part(Arc::clone(&slots));
        Self::Part(slots)
    }

    /// The vector, if nobody else has slots in it. Of those who let go at the
    /// same time, the last gets it.
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

// SAFETY: nobody gets at an event through `Slots`, only at an address, and the
// allocation may be freed on any thread.
unsafe impl<E: Send> Send for Slots<E> {}
// SAFETY: as above; whoever uses the address answers for the slots.
unsafe impl<E: Send> Sync for Slots<E> {}

impl<E> From<Vec<E>> for Slots<E> {
    /// Leaks the events there are, if any.
    fn from(buffer: Vec<E>) -> Self {
        let mut buffer = ManuallyDrop::new(buffer);
        Self {
            // SAFETY: the pointer of a vector is never null.
            start: unsafe { NonNull::new_unchecked(buffer.as_mut_ptr()) },
            capacity: buffer.capacity(),
        }
    }
}

impl<E> Slots<E> {
    fn into_vec(self) -> Vec<E> {
        let slots = ManuallyDrop::new(self);
        // SAFETY: the two are those of a vector that was given up, and so is
        // `self`; none of its slots is said to be initialised.
        unsafe { Vec::from_raw_parts(slots.start.as_ptr(), 0, slots.capacity) }
    }
}

impl<E> Drop for Slots<E> {
    fn drop(&mut self) {
        // SAFETY: as in `into_vec`; `self` is not used any more.
        drop(unsafe { Vec::from_raw_parts(self.start.as_ptr(), 0, self.capacity) });
    }
}
