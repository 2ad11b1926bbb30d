//! What a handler has taken out of its batch and may not be done with.

/// What was taken last, in the one word that a batch has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hand(usize);

/// How a handler that failed has left its batch.
///
/// Asking for the next event says that the one before is done with, so all but
/// the last count as handled. Of events that were taken in one step, collected
/// into a vector for one, nothing is known: all of them are in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interrupted {
    /// Events that the handler was done with.
    pub handled: usize,
    /// Events that were moved out of the batch right behind these, and that
    /// the handler had not said to be done with. They are gone with it.
    pub moved: usize,
    /// The first event left in the batch was in hand as well: the handler was
    /// [holding](super::Batch::peek) it.
    pub held: bool,
}

impl Hand {
    /// Nothing was taken by a way that leaves a trace: either nothing at all,
    /// or the batch as a whole, by `std::mem::take` for one.
    pub(super) const UNTOUCHED: Self = Self(usize::MAX);
    /// The first event is being handled where it is.
    pub(super) const HOLDS: Self = Self(usize::MAX - 1);

    /// The last step took this many events; those before are done with.
    #[inline]
    pub(super) const fn took(count: usize) -> Self {
        // Only events without a size could be as many.
        if count < Self::HOLDS.0 {
            Self(count)
        } else {
            Self::UNTOUCHED
        }
    }

    /// How things stand if `taken` events are missing.
    pub(super) fn interrupted(self, taken: usize) -> Interrupted {
        let held = self == Self::HOLDS;
        // Untouched is as many as there can be: all that is missing.
        let moved = if held { 0 } else { self.0.min(taken) };
        Interrupted {
            handled: taken - moved,
            moved,
            held,
        }
    }
}
