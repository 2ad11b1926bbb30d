//! Where the events of a batch are.

use super::SharedBatch;
use super::owned::Owned;

/// The events are the batch's own, or shared with other subscribers.
pub(super) enum Repr<E> {
    Owned(Owned<E>),
    Shared(SharedBatch<E>),
}

impl<E> Repr<E> {
    #[inline]
    pub(super) fn as_slice(&self) -> &[E] {
        match self {
            Self::Owned(owned) => owned.as_slice(),
            Self::Shared(shared) => shared.as_slice(),
        }
    }

    /// Events of its own: those of a shared batch are cloned first.
    #[inline]
    pub(super) fn as_owned(&mut self) -> &mut Owned<E> {
        if let Self::Shared(shared) = self {
            let events = clone(shared);
            *self = Self::Owned(Owned::from(events));
        }
        match self {
            Self::Owned(owned) => owned,
            Self::Shared(_) => unreachable!("cloned just above"),
        }
    }
}

#[cold]
fn clone<E>(shared: &SharedBatch<E>) -> Vec<E> {
    shared.to_vec()
}
