//! [`Interrupted`]: the events that a failed handler was working on.

/// The events taken last, encoded in the single word that a batch has room for:
/// a count, or one of the two constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hand(usize);

/// The state of a batch whose handler has failed.
///
/// By asking for the next event a handler says that it is done with the one
/// before. So all taken events but the last count as handled. Events that were
/// taken in one step, for example collected into a vector, are all in hand,
/// because it is unknown which of them were handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interrupted {
    /// Events that were taken and handled.
    pub handled: usize,
    /// Events that were taken next and were in hand when the handler failed.
    /// They were dropped with it.
    pub moved: usize,
    /// Whether the first event left in the batch was in hand too, because the
    /// handler had called [`peek`](super::Batch::peek).
    pub held: bool,
}

impl Hand {
    /// No event was taken, or the batch was taken as a whole, by
    /// `std::mem::take` for example, which leaves no trace.
    pub(super) const UNTOUCHED: Self = Self(usize::MAX);
    /// The first event is being handled in place.
    pub(super) const HOLDS: Self = Self(usize::MAX - 1);

    /// The last step took `count` events; those taken before are handled.
    #[inline]
    pub(super) const fn took(count: usize) -> Self {
        // Only zero-sized events can reach the reserved values.
        if count < Self::HOLDS.0 {
            Self(count)
        } else {
            Self::UNTOUCHED
        }
    }

    /// Returns the state of a batch from which `taken` events are missing.
    pub(super) fn interrupted(self, taken: usize) -> Interrupted {
        let held = self == Self::HOLDS;
        // `UNTOUCHED` is the maximum, so all missing events count as moved.
        let moved = if held { 0 } else { self.0.min(taken) };
        Interrupted {
            handled: taken - moved,
            moved,
            held,
        }
    }
}
