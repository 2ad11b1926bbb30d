//! Where the events of a batch are.

use std::collections::VecDeque;

use super::SharedBatch;

/// The events live in a `Vec` for as long as they are filled and drained as a
/// whole, which is the fast way, and in a `VecDeque` once somebody takes from
/// the front. Both changes keep the allocation, so that it can be recycled.
pub(super) enum Repr<E> {
    /// A [`Drain`](super::Drain) that is left early moves what was not taken
    /// from `events` to `untaken`, because it cannot put it back; `events` is
    /// empty then, and there for its allocation.
    Vec {
        events: Vec<E>,
        untaken: Option<Box<[E]>>,
    },
    Deque(VecDeque<E>),
    Shared(SharedBatch<E>),
}

impl<E> Repr<E> {
    #[inline]
    pub(super) const fn vec(events: Vec<E>) -> Self {
        Self::Vec {
            events,
            untaken: None,
        }
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[E] {
        match self {
            Self::Vec {
                untaken: Some(untaken),
                ..
            } => untaken,
            Self::Vec { events, .. } => events,
            Self::Deque(events) => contiguous(events),
            Self::Shared(shared) => shared.as_slice(),
        }
    }

    /// The events in one vector of our own, and the place for those that a
    /// drain does not take.
    #[inline]
    pub(super) fn as_vec(&mut self) -> (&mut Vec<E>, &mut Option<Box<[E]>>) {
        if !matches!(self, Self::Vec { untaken: None, .. }) {
            self.gather();
        }
        match self {
            Self::Vec { events, untaken } => (events, untaken),
            Self::Deque(_) | Self::Shared(_) => unreachable!("gathered just above"),
        }
    }

    /// The events in a deque; `None` for a shared batch.
    pub(super) fn as_deque(&mut self) -> Option<&mut VecDeque<E>> {
        if let Self::Vec { .. } = self {
            let events = std::mem::take(self.as_vec().0);
            *self = Self::Deque(events.into());
        }
        match self {
            Self::Deque(events) => Some(events),
            Self::Vec { .. } | Self::Shared(_) => None,
        }
    }

    /// Brings the events into one vector; those of a shared batch are cloned.
    #[cold]
    fn gather(&mut self) {
        match self {
            Self::Vec { events, untaken } => {
                events.extend(untaken.take().map(Vec::from).unwrap_or_default());
            }
            Self::Deque(events) => *self = Self::vec(std::mem::take(events).into()),
            Self::Shared(shared) => *self = Self::vec(shared.to_vec()),
        }
    }
}

/// A deque that was made from a vector and is only ever taken from does not
/// wrap, so its first half is all of it.
#[inline]
fn contiguous<E>(events: &VecDeque<E>) -> &[E] {
    let (all, wrapped) = events.as_slices();
    debug_assert!(wrapped.is_empty());
    all
}
