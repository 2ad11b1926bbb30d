//! [`Drain`]: the iterator that takes events out of a batch.

use std::fmt;

use super::hand::Hand;
use super::owned::Taking;

/// An iterator that takes the events of a batch one by one, created by
/// `for event in &mut batch` or [`Batch::drain`](super::Batch::drain).
///
/// If it is dropped early, the events it has not taken stay in the batch, in
/// order. The position is kept in the iterator rather than in the batch, so
/// that a loop compiles to the same code as a loop over a slice.
///
/// It is not double-ended: after a failure, the events
/// [handled](super::Interrupted) must be those at the front.
///
/// ```compile_fail,E0277
/// # use stage_core::Batch;
/// let mut batch = Batch::from(vec![1, 2]);
/// for event in batch.drain().rev() {} // instead: batch.into_vec().into_iter().rev()
/// ```
///
/// # Cancel safety
///
/// If the iterator is held across an `.await` and the future is dropped, the
/// events it has not taken stay in the batch.
pub struct Drain<'a, E> {
    events: Taking<'a, E>,
    hand: &'a mut Hand,
    /// `next` has returned `None`.
    ended: bool,
}

impl<'a, E> Drain<'a, E> {
    #[inline]
    pub(super) const fn new(events: Taking<'a, E>, hand: &'a mut Hand) -> Self {
        Self {
            events,
            hand,
            ended: false,
        }
    }

    /// Returns the events that have not been taken.
    #[must_use]
    pub fn as_slice(&self) -> &[E] {
        self.events.as_slice()
    }
}

impl<E> Iterator for Drain<'_, E> {
    type Item = E;

    #[inline]
    fn next(&mut self) -> Option<E> {
        match self.events.next() {
            Some(event) => Some(event),
            None => {
                self.ended = true;
                None
            }
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.events.len();
        (len, Some(len))
    }

    /// Sets `ended` once, after the loop, so that the loop itself compiles to
    /// one over a slice.
    #[inline]
    fn fold<A, F: FnMut(A, E) -> A>(mut self, init: A, mut f: F) -> A {
        let mut folded = init;
        while let Some(event) = self.events.next() {
            folded = f(folded, event);
        }
        self.ended = true;
        folded
    }
}

impl<E> ExactSizeIterator for Drain<'_, E> {}

impl<E> std::iter::FusedIterator for Drain<'_, E> {}

impl<E> Drop for Drain<'_, E> {
    #[inline]
    fn drop(&mut self) {
        let taken = self.events.taken();
        if taken > 0 {
            // An iterator that was exhausted may have been collected: then all
            // events taken are in hand.
            *self.hand = Hand::took(if self.ended { taken } else { 1 });
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for Drain<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Drain").field(&self.as_slice()).finish()
    }
}
