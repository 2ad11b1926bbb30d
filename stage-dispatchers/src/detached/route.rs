//! [`SubscriberQueue`]: the route of a subscriber of a [`Detached`](super::Detached).

use std::fmt;

use stage_core::{Bound, DefaultRoute, WhenFull};

use crate::Selector;

/// The queue of one subscriber of a [`Detached`](super::Detached): what goes into
/// it, how much it holds, and what happens when it is full.
///
/// | option | default |
/// |---|---|
/// | [`bound`](Self::bound) | 10,000 events |
/// | [`when_full`](Self::when_full) | [`WhenFull::DropOldest`] |
/// | [`selector`](Self::selector) | all events |
///
/// ```
/// use stage_core::{Bound, WhenFull};
/// use stage_dispatchers::{Selector, SubscriberQueue};
///
/// let one_mebibyte = Bound::Bytes { limit: 1 << 20, weigh: |frame: &Vec<u8>| frame.len() };
/// let queue = SubscriberQueue::new()
///     .bound(one_mebibyte)
///     .when_full(WhenFull::Detach)
///     .selector(Selector::new(|frame: &Vec<u8>| !frame.is_empty()));
/// # let _ = queue;
/// ```
pub struct SubscriberQueue<E> {
    pub(super) bound: Bound<E>,
    pub(super) when_full: WhenFull,
    pub(super) selector: Selector<E>,
}

impl<E> SubscriberQueue<E> {
    /// Returns a queue with the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bound: Bound::Events(10_000),
            when_full: WhenFull::DropOldest,
            selector: Selector::all(),
        }
    }

    /// Sets the most that the queue holds, in events or bytes. Events that the
    /// subscriber has asked for do not enter the queue: with a bound of 0, the
    /// subscriber gets only those.
    #[must_use]
    pub const fn bound(mut self, bound: Bound<E>) -> Self {
        self.bound = bound;
        self
    }

    /// Sets what happens to an event that the queue has no room for.
    ///
    /// With [`WhenFull::Wait`] the producer, and with it all other subscribers,
    /// waits for this one. With [`WhenFull::Detach`] the subscription ends as
    /// cancelled.
    #[must_use]
    pub const fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Sets which events the subscriber gets. The others take up no room and
    /// cost no demand.
    #[must_use]
    pub fn selector(mut self, selector: Selector<E>) -> Self {
        self.selector = selector;
        self
    }

    /// Whether the others wait for the subscriber, by a bound in bytes.
    pub(super) const fn waits_in_bytes(&self) -> bool {
        matches!(
            (&self.when_full, &self.bound),
            (WhenFull::Wait, Bound::Bytes { .. })
        )
    }

    /// Returns how many events of `events`, from the first, the queue has room
    /// for when it holds events of `weight`.
    pub(super) fn fits(&self, weight: usize, events: &[E]) -> usize {
        let Some(limit) = self.bound.limit() else {
            return events.len();
        };
        let Bound::Bytes { .. } = self.bound else {
            return events.len().min(limit.saturating_sub(weight));
        };
        let mut after = weight;
        let fits = events.iter().take_while(|event| {
            let empty = after == 0;
            after = after.saturating_add(self.bound.weight_of(event));
            // Alone, an event of any weight fits: otherwise it could never go.
            after <= limit || empty && limit > 0
        });
        fits.count()
    }
}

impl<E> Default for SubscriberQueue<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> DefaultRoute for SubscriberQueue<E> {
    fn default_route() -> Self {
        Self::new()
    }
}

impl<E> fmt::Debug for SubscriberQueue<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriberQueue")
            .field("bound", &self.bound)
            .field("when_full", &self.when_full)
            .field("selector", &self.selector)
            .finish()
    }
}
