//! The iterator that takes events out of a batch.

use std::fmt;

use super::hand::Hand;
use super::owned::{Cursor, Owned};

/// Takes the events of a batch one by one; made by `for event in &mut batch`
/// or [`Batch::drain`](super::Batch::drain).
///
/// Dropped early, it leaves in the batch what it had not taken, in order. The
/// position lives in the iterator and not in the batch, so that a loop over it
/// compiles to the loop one would write over a slice.
///
/// It goes from the front only: what a handler that failed was
/// [done with](super::Interrupted) could not be told otherwise.
///
/// ```compile_fail,E0277
/// # use stage_core::Batch;
/// let mut batch = Batch::from(vec![1, 2]);
/// for event in batch.drain().rev() {} // instead: batch.into_vec().into_iter().rev()
/// ```
///
/// # Cancel safety
///
/// Held across an `.await` of a future that is dropped, it leaves in the batch
/// what it had not taken.
pub struct Drain<'a, E> {
    events: Cursor<'a, E>,
    hand: &'a mut Hand,
    /// Events at the start.
    count: usize,
    /// Whoever iterates has seen the end.
    ended: bool,
}

impl<'a, E> Drain<'a, E> {
    #[inline]
    pub(super) fn new(events: &'a mut Owned<E>, hand: &'a mut Hand) -> Self {
        Self {
            count: events.len(),
            events: events.cursor(),
            hand,
            ended: false,
        }
    }

    /// Puts `f` of all events left behind what is in `to`.
    #[inline]
    pub(super) fn map_into<O>(mut self, to: &mut Vec<O>, f: impl FnMut(E) -> O) {
        self.events.map_into(to, f);
        self.ended = true;
    }

    /// The events that have not been taken yet.
    #[must_use]
    pub const fn as_slice(&self) -> &[E] {
        self.events.as_slice()
    }
}

impl<E> Iterator for Drain<'_, E> {
    type Item = E;

    #[inline]
    fn next(&mut self) -> Option<E> {
        let event = self.events.next();
        if event.is_none() {
            self.ended = true;
        }
        event
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.events.len(), Some(self.events.len()))
    }

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
        let taken = self.count - self.events.len();
        if taken > 0 {
            // Seen to the end, they may as well have been collected: then all
            // of them are in hand.
            *self.hand = Hand::took(if self.ended { taken } else { 1 });
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for Drain<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Drain").field(&self.as_slice()).finish()
    }
}
