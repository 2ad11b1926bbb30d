//! [`ByteWindow`]: cuts the demand of one subscription by bytes.

use std::fmt;

use crate::budget::Share;
use crate::{Batch, Budget, DemandWindow};

/// The bytes of one subscription that are in flight, tracked by its consumer, and
/// the pending demand that they leave room for.
///
/// It goes with the [`DemandWindow`] of the subscription, which counts events.
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
/// With a [`Budget`] the window takes this sum from the budget, and asks for no
/// more than there is. One event may be pending whatever is left. Each call of
/// [`handled`](Self::handled) tries again, so a window that found no room needs
/// nobody to wake it.
///
/// ```
/// use stage_core::{Batch, ByteWindow, DemandLimits, DemandWindow};
///
/// let mut bytes = ByteWindow::new(100, |text: &&str| text.len());
/// let mut demand = DemandWindow::new(DemandLimits::default());
/// assert_eq!(bytes.open(&mut demand), 1);
///
/// let batch = Batch::from(vec!["0123456789"]);
/// bytes.arrived(&batch);
/// assert_eq!(bytes.held(), 10);
/// bytes.settled(1, 10);
/// // 10 events of 10 bytes would fit, but only one has been seen.
/// assert_eq!(bytes.handled(1, &mut demand), 2);
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
    /// Events that were asked for here and have not arrived.
    awaited: usize,
    /// Events that have arrived lately, and their weight; both are halved now and
    /// then.
    recent: usize,
    recent_bytes: usize,
    /// All events that have arrived.
    seen: usize,
    /// The part of a budget; `None` without one.
    share: Option<Share>,
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
            awaited: 0,
            recent: 0,
            recent_bytes: 0,
            seen: 0,
            share: None,
        }
    }

    /// Shares `budget`: what is in flight stays within what is left of it, too.
    #[must_use]
    pub fn share(mut self, budget: &Budget) -> Self {
        self.share = Some(Share::of(budget));
        self.settle();
        self
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
            let half = self.recent.div_ceil(2);
            self.recent_bytes = part_of(self.recent_bytes, half, self.recent);
            self.recent = half;
        }
        self.awaited = self.awaited.saturating_sub(batch.len());
        self.settle();
    }

    /// Records that `events` events of `bytes` bytes together, which had arrived,
    /// are no longer in flight.
    pub fn settled(&mut self, events: usize, bytes: usize) {
        self.events = self.events.saturating_sub(events);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.settle();
    }

    /// Opens `demand` within the bytes; see [`DemandWindow::open_within`]. Returns
    /// the demand to send, in events.
    #[must_use = "the demand has to be sent"]
    pub fn open(&mut self, demand: &mut DemandWindow) -> usize {
        let most = self.claim(demand.limits().max());
        self.asked(demand.open_within(most))
    }

    /// Records in `demand` that `events` events have been handled; see
    /// [`DemandWindow::handled_within`]. Call [`settled`](Self::settled) before it.
    /// Returns the demand to send, in events.
    #[must_use = "the demand has to be sent"]
    pub fn handled(&mut self, events: usize, demand: &mut DemandWindow) -> usize {
        let most = self.claim(demand.limits().max());
        self.asked(demand.handled_within(events, most))
    }

    /// Records that nothing more arrives: the subscription is over.
    pub fn ended(&mut self) {
        self.awaited = 0;
        self.settle();
    }

    /// Returns the most events, up to `max`, that may be pending by the limit and by
    /// the budget. Takes the bytes for them from the budget until
    /// [`settle`](Self::settle).
    fn claim(&mut self, max: usize) -> usize {
        let most = self.most();
        let each = self.mean().max(1);
        let Some(share) = &mut self.share else {
            return most;
        };
        let more = most.min(max).saturating_sub(self.events);
        let granted = share.grow(self.bytes.saturating_add(more.saturating_mul(each)));
        let fits = granted.saturating_sub(self.bytes) / each;
        self.events.saturating_add(fits).min(most).max(1)
    }

    fn asked(&mut self, events: usize) -> usize {
        self.awaited = self.awaited.saturating_add(events);
        self.settle();
        events
    }

    /// Holds of the budget what has arrived and what is expected.
    fn settle(&mut self) {
        let expected = self.awaited.saturating_mul(self.mean());
        if let Some(share) = &mut self.share {
            share.set(self.bytes.saturating_add(expected));
        }
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

    /// Returns the most events that may be pending now by the limit alone: asked for
    /// and not handled. At least 1.
    #[must_use]
    pub fn most(&self) -> usize {
        let room = self.limit.saturating_sub(self.bytes);
        let more = room / self.mean().max(1);
        let trusted = self.seen.saturating_mul(2);
        self.events.saturating_add(more).min(trusted).max(1)
    }
}

/// Returns the weight of `part` of `all` events that weigh `bytes` together, rounded up.
/// Halving both sums would make the mean smaller each time that `all` is odd.
fn part_of(bytes: usize, part: usize, all: usize) -> usize {
    let part_bytes = (bytes as u128 * part as u128).div_ceil(all as u128);
    usize::try_from(part_bytes).unwrap_or(usize::MAX)
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
