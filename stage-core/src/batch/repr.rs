//! The two representations of a batch: unique and shared.

use super::SharedBatch;
use super::owned::Owned;

pub(super) enum Repr<E> {
    Owned(Owned<E>),
    Shared(SharedBatch<E>),
}

impl<E> Repr<E> {
    #[inline]
    pub(super) fn as_slice(&self) -> &[E] {
        match self {
            Self::Owned(events) => events.as_slice(),
            Self::Shared(shared) => shared.as_slice(),
        }
    }

    /// Returns the events as a unique batch; clones those of a shared batch.
    #[inline]
    pub(super) fn make_owned(&mut self) -> &mut Owned<E> {
        if let Self::Shared(shared) = self {
            *self = Self::cloned(shared);
        }
        match self {
            Self::Owned(events) => events,
            Self::Shared(_) => unreachable!("cloned just above"),
        }
    }

    #[cold]
    fn cloned(shared: &SharedBatch<E>) -> Self {
        Self::Owned(shared.to_vec().into())
    }
}
