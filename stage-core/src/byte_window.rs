//! [`ByteWindow`]: cuts the demand of one subscription by bytes.

use std::fmt;

use crate::Batch;

/// The bytes of one subscription that are in flight, tracked by its consumer, and
/// the pending demand that they leave room for.
///
/// A consumer asks for events and cannot know what they will weigh. So the window
/// takes the weight of events that have arrived as it is, and the mean weight of
/// the last ones, about 100, for each event that was asked for and has not
/// arrived. The sum of both is to be at most the limit. One event may always be
/// pending, whatever it weighs.
///
/// The window begins with one event. At any time at most twice as many events may
/// be pending as have arrived so far, so that a mean of few events is not relied
/// on for many.
///
/// ```
/// use stage_core::{Batch, ByteWindow, DemandLimits, DemandWindow};
///
/// let mut bytes = ByteWindow::new(100, |text: &&str| text.len());
/// let mut demand = DemandWindow::new(DemandLimits::default());
/// assert_eq!(demand.open_within(bytes.most()), 1);
///
/// let batch = Batch::from(vec!["0123456789"]);
/// bytes.arrived(&batch);
/// assert_eq!(bytes.held(), 10);
/// bytes.settled(1, 10);
/// // 10 events of 10 bytes would fit, but only one has been seen.
/// assert_eq!(demand.handled_within(1, bytes.most()), 2);
/// ```
///
/// Source of the mean: sums that are halved when they have grown to a number, a
/// common approximation of a moving average.
pub struct ByteWindow<E> {
    limit: usize,
    weigh: fn(&E) -> usize,
    /// Events that have arrived and are not settled, and their weight.
    events: usize,
    bytes: usize,
    /// Events that have arrived lately, and their weight; both are halved now and
    /// then.
    recent: usize,
    recent_bytes: usize,
    /// All events that have arrived.
    seen: usize,
}

/// The number of recent events at which the sums for the mean are halved.
const RECENT: usize = 128;

impl<E> ByteWindow<E> {
    /// Returns a window of `limit` bytes. `weigh` returns the weight of an event in
    /// bytes.
    #[must_use]
    pub const fn new(limit: usize, weigh: fn(&E) -> usize) -> Self {
        Self {
            limit,
            weigh,
            events: 0,
            bytes: 0,
            recent: 0,
            recent_bytes: 0,
            seen: 0,
        }
    }

    /// Returns the weight of events, in bytes; saturates.
    #[must_use]
    pub fn weight(&self, events: &[E]) -> usize {
        let weights = events.iter().map(self.weigh);
        weights.fold(0, usize::saturating_add)
    }

    /// Weighs a batch that has arrived.
    pub fn arrived(&mut self, batch: &Batch<E>) {
        let bytes = self.weight(batch);
        self.events = self.events.saturating_add(batch.len());
        self.bytes = self.bytes.saturating_add(bytes);
        self.seen = self.seen.saturating_add(batch.len());
        self.recent = self.recent.saturating_add(batch.len());
        self.recent_bytes = self.recent_bytes.saturating_add(bytes);
        while self.recent > RECENT {
            self.recent = self.recent.div_ceil(2);
            self.recent_bytes = self.recent_bytes.div_ceil(2);
        }
    }

    /// Records that `events` events of `bytes` bytes together, which had arrived,
    /// are no longer in flight.
    pub const fn settled(&mut self, events: usize, bytes: usize) {
        self.events = self.events.saturating_sub(events);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Returns the events that have arrived and are not settled.
    #[must_use]
    pub const fn held_events(&self) -> usize {
        self.events
    }

    /// Returns the weight of the events that have arrived and are not settled, in
    /// bytes.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.bytes
    }

    /// Returns the mean weight of the last events, in bytes, rounded up; 0 if none
    /// has arrived.
    #[must_use]
    pub const fn mean(&self) -> usize {
        match self.recent {
            0 => 0,
            recent => self.recent_bytes.div_ceil(recent),
        }
    }

    /// Returns the most events that may be pending now: asked for and not handled.
    /// At least 1.
    #[must_use]
    pub fn most(&self) -> usize {
        let room = self.limit.saturating_sub(self.bytes);
        let more = room / self.mean().max(1);
        let trusted = self.seen.saturating_mul(2);
        self.events.saturating_add(more).min(trusted).max(1)
    }
}

// Not derived: a derive would ask the same of `E`.
impl<E> fmt::Debug for ByteWindow<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteWindow")
            .field("limit", &self.limit)
            .field("held", &self.bytes)
            .field("mean", &self.mean())
            .finish_non_exhaustive()
    }
}
