//! `Taking`: the iterator that takes events out of an `Owned`.
#![expect(unsafe_code, reason = "see the module above")]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

use std::mem::MaybeUninit;
use std::slice;

/// An iterator that takes the events of an [`Owned`](super::Owned).
///
/// # Invariants
///
/// - `slots` are those from `end - slots.len()` to `end`, all initialised, and
///   `self` owns the events in them.
/// - `head` and `len` are the fields of the `Owned`; `len` is 0.
pub(in crate::batch) struct Taking<'a, E> {
    slots: slice::IterMut<'a, MaybeUninit<E>>,
    end: usize,
    head: &'a mut usize,
    len: &'a mut usize,
}

impl<'a, E> Taking<'a, E> {
    /// The caller must own the events in `slots`, which end at `end`, and must
    /// have set `len` to 0.
    #[inline]
    pub(super) fn new(
        slots: &'a mut [MaybeUninit<E>],
        end: usize,
        head: &'a mut usize,
        len: &'a mut usize,
    ) -> Self {
        Self {
            slots: slots.iter_mut(),
            end,
            head,
            len,
        }
    }

    #[inline]
    pub(in crate::batch) fn as_slice(&self) -> &[E] {
        let slots = self.slots.as_slice();
        // SAFETY: the slots are initialised, and `MaybeUninit<E>` has the
        // layout of `E`.
        unsafe { slice::from_raw_parts(slots.as_ptr().cast(), slots.len()) }
    }

    #[inline]
    pub(in crate::batch) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Returns the number of events taken.
    #[inline]
    pub(in crate::batch) fn taken(&self) -> usize {
        self.end - *self.head - self.slots.len()
    }

    #[inline]
    pub(in crate::batch) fn next(&mut self) -> Option<E> {
        let slot = self.slots.next()?;
        // SAFETY: the slot held an event, which `self` no longer owns: the slot
        // is no longer in `slots`.
        Some(unsafe { slot.assume_init_read() })
    }
}

impl<E> Drop for Taking<'_, E> {
    #[inline]
    fn drop(&mut self) {
        // The `Owned` gets back the events in `slots`.
        let left = self.slots.len();
        *self.head = self.end - left;
        *self.len = left;
    }
}
