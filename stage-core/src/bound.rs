//! [`Bound`]: the most that a buffer or a queue holds.

use std::fmt;

use crate::Batch;

/// The bound of a buffer or a queue, in events or in bytes.
///
/// ```
/// use stage_core::{Batch, Bound};
///
/// let bytes = Bound::Bytes { limit: 1024, weigh: |text: &String| text.len() };
/// let batch = Batch::from(vec!["one".to_owned(), "three".to_owned()]);
/// assert_eq!(bytes.weight(&batch), 8);
/// assert_eq!(Bound::Events(10).weight(&batch), 2);
/// ```
#[non_exhaustive]
pub enum Bound<E> {
    /// At most this number of events.
    Events(usize),
    /// At most `limit` bytes. A single event that weighs more is taken when
    /// nothing else is held, because it could never be taken otherwise.
    Bytes {
        /// The most bytes; 0 holds nothing, as `Events(0)` does.
        limit: usize,
        /// Returns the weight of an event, in bytes. It must return the same
        /// number each time; an event that is changed inside must keep its
        /// weight.
        weigh: fn(&E) -> usize,
    },
    /// No bound: only the producer limits the memory.
    Unbounded,
}

impl<E> Bound<E> {
    /// Returns the weight of one event, in the unit of the bound: 1, or its
    /// bytes.
    #[must_use]
    pub fn weight_of(&self, event: &E) -> usize {
        match self {
            Self::Bytes { weigh, .. } => weigh(event),
            Self::Events(_) | Self::Unbounded => 1,
        }
    }

    /// Returns the weight of a batch, in the unit of the bound: events or bytes.
    #[must_use]
    pub fn weight(&self, batch: &Batch<E>) -> usize {
        match self {
            Self::Bytes { weigh, .. } => batch.iter().map(weigh).fold(0, usize::saturating_add),
            Self::Events(_) | Self::Unbounded => batch.len(),
        }
    }

    /// Returns the limit in the unit of the bound; `None` if there is none.
    #[must_use]
    pub const fn limit(&self) -> Option<usize> {
        match self {
            Self::Events(limit) | Self::Bytes { limit, .. } => Some(*limit),
            Self::Unbounded => None,
        }
    }
}

// Not derived: a derive would ask the same of `E`.
impl<E> Clone for Bound<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Bound<E> {}

impl<E> fmt::Debug for Bound<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Events(events) => f.debug_tuple("Events").field(events).finish(),
            Self::Bytes { limit, .. } => f
                .debug_struct("Bytes")
                .field("limit", limit)
                .finish_non_exhaustive(),
            Self::Unbounded => f.write_str("Unbounded"),
        }
    }
}
