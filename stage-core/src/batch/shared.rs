//! [`SharedBatch`]: events that several subscribers read without copying them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::Batch;

/// Reference-counted events: cloning the batch increments a counter and copies
/// no event.
///
/// A dispatcher that sends the same events to several subscribers creates one
/// shared batch and delivers [`Batch::from`] a clone to each. A subscriber that
/// only reads copies nothing; a subscriber that takes an event clones that
/// event.
///
/// ```
/// use stage_core::{Batch, SharedBatch};
///
/// let shared = SharedBatch::new(vec![String::from("a"), String::from("b")]);
/// let mut one = Batch::from(shared.clone());
/// let two = Batch::from(shared);
/// assert_eq!(one.pop_front().as_deref(), Some("a"));
/// assert_eq!(two.len(), 2);
/// ```
pub struct SharedBatch<E> {
    events: Arc<dyn Events<E>>,
    range: Range<usize>,
}

/// The operations on the events of a shared batch. Behind a trait object, so
/// that `Batch<E>` itself requires neither `Clone` nor `Sync` of events that
/// are never shared.
trait Events<E>: Send + Sync {
    fn as_slice(&self) -> &[E];
    fn to_vec(&self, range: Range<usize>) -> Vec<E>;
    fn clone_at(&self, index: usize) -> Option<E>;
    /// Returns the vector if this is the last reference to it.
    fn into_last(self: Arc<Self>) -> Option<Vec<E>>;
}

impl<E: Clone + Send + Sync> Events<E> for Vec<E> {
    fn as_slice(&self) -> &[E] {
        self
    }

    fn to_vec(&self, range: Range<usize>) -> Vec<E> {
        self.get(range).map_or_else(Vec::new, <[E]>::to_vec)
    }

    fn clone_at(&self, index: usize) -> Option<E> {
        self.get(index).cloned()
    }

    fn into_last(self: Arc<Self>) -> Option<Vec<E>> {
        Arc::into_inner(self)
    }
}

impl<E> SharedBatch<E> {
    /// Shares `events`: moves the vector and copies no event.
    #[must_use]
    pub fn new(events: Vec<E>) -> Self
    where
        E: Clone + Send + Sync + 'static,
    {
        let range = 0..events.len();
        Self {
            events: Arc::new(events),
            range,
        }
    }

    /// Returns the events left, without taking any.
    #[must_use]
    pub fn as_slice(&self) -> &[E] {
        self.events
            .as_slice()
            .get(self.range.clone())
            .unwrap_or_default()
    }

    /// Returns the number of events left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Returns `true` if no event is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    pub(super) fn to_vec(&self) -> Vec<E> {
        self.events.to_vec(self.range.clone())
    }

    /// Returns the vector of the events if this is the last reference to it. Of
    /// threads that release theirs at the same time, exactly one gets the
    /// vector.
    pub(super) fn into_unique(self) -> Option<Vec<E>> {
        self.events.into_last()
    }

    pub(super) fn pop_front(&mut self) -> Option<E> {
        let index = self.range.next()?;
        self.events.clone_at(index)
    }

    pub(super) fn advance(&mut self, count: usize) {
        self.range.start = self.range.end.min(self.range.start.saturating_add(count));
    }

    pub(super) fn split_to(&mut self, count: usize) -> Self {
        let middle = self.range.end.min(self.range.start + count);
        let first = Self {
            events: Arc::clone(&self.events),
            range: self.range.start..middle,
        };
        self.range.start = middle;
        first
    }
}

impl<E> Clone for SharedBatch<E> {
    fn clone(&self) -> Self {
        Self {
            events: Arc::clone(&self.events),
            range: self.range.clone(),
        }
    }
}

/// Shares the events of a batch. A batch that is already shared is not copied.
impl<E: Clone + Send + Sync + 'static> From<Batch<E>> for SharedBatch<E> {
    fn from(batch: Batch<E>) -> Self {
        match batch.repr {
            super::repr::Repr::Shared(shared) => shared,
            _ => Self::new(batch.into_vec()),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for SharedBatch<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::{Batch, SharedBatch};

    #[test]
    fn of_those_who_let_go_at_the_same_time_one_gets_the_buffer() {
        for _ in 0..if cfg!(miri) { 10 } else { 2_000 } {
            let shared = SharedBatch::new(vec![1; 8]);
            let readers = [shared.clone(), shared.clone(), shared];
            let start = Barrier::new(readers.len());
            let buffers: Vec<Vec<i32>> = thread::scope(|scope| {
                let readers = readers.map(|reader| {
                    let batch = Batch::from(reader);
                    scope.spawn(|| {
                        start.wait();
                        batch.recycle()
                    })
                });
                let recycled = readers.map(|reader| reader.join().unwrap());
                recycled.into_iter().flatten().collect()
            });
            assert_eq!(buffers.len(), 1);
        }
    }
}
