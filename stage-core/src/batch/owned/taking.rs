//! Taking events out of a batch one by one.
#![expect(unsafe_code, reason = "see the module above")]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

use std::mem::MaybeUninit;
use std::slice;

/// The iterator over an [`Owned`] which takes its events.
///
/// # Invariants
///
/// - `slots` are those from `end - slots.len()` to `end`, all initialised, and
///   the events in them are owned by `self`.
/// - `head` and `len` are those of the `Owned`; `len` is 0.
pub(in crate::batch) struct Taking<'a, E> {
    slots: slice::IterMut<'a, MaybeUninit<E>>,
    end: usize,
    head: &'a mut usize,
    len: &'a mut usize,
}

impl<'a, E> Taking<'a, E> {
    /// The caller owns the events in `slots`, which end at `end`, and has set
    /// `len` to 0.
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
        // SAFETY: they are initialised, and a slot is laid out as its event is.
        unsafe { slice::from_raw_parts(slots.as_ptr().cast(), slots.len()) }
    }

    #[inline]
    pub(in crate::batch) fn len(&self) -> usize {
        self.slots.len()
    }

    /// How many events were taken.
    #[inline]
    pub(in crate::batch) fn taken(&self) -> usize {
        self.end - *self.head - self.slots.len()
    }

    #[inline]
    pub(in crate::batch) fn next(&mut self) -> Option<E> {
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
