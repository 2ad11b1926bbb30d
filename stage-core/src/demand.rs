//! Demand: the number of events a consumer is ready for.
//!
//! [`DemandLimits`] are the user's options; [`DemandWindow`] does the
//! arithmetic of one subscription. Demand counts events and saturates; it never
//! wraps.

use thiserror::Error;

/// The options of a subscription's demand, `max` and `min`, in events.
///
/// A consumer first asks for `max` events. When its pending demand (asked for
/// and not yet handled) falls to `min` or below, it asks again, up to `max`.
/// Its handler gets batches of at most `max - min` events.
///
/// The default is `max` 1000 and `min` 500, as in GenStage.
///
/// ```
/// use stage_core::DemandLimits;
///
/// assert_eq!(DemandLimits::default(), DemandLimits::new(1000, 500).unwrap());
/// assert_eq!(DemandLimits::up_to(10).unwrap().min(), 5);
/// assert!(DemandLimits::new(10, 10).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemandLimits {
    max: usize,
    min: usize,
}

/// An error of invalid demand limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DemandError {
    /// `max_demand` was 0, so the consumer would never ask.
    #[error(
        "max_demand is 0, but a consumer that asks for nothing gets nothing; set it to at least 1"
    )]
    ZeroMax,
    /// `min_demand` was not below `max_demand`, so the consumer would have to
    /// ask again before it has handled anything.
    #[error("min_demand is {min}, but must be below max_demand, which is {max}; set it within 0..={}", .max - 1)]
    MinNotBelowMax {
        /// The `min_demand` given.
        min: usize,
        /// The `max_demand` given, at least 1.
        max: usize,
    },
    /// A subscription shares a [`Budget`](crate::Budget), and nothing weighs its
    /// events.
    #[error(
        "the subscription shares a budget of bytes, but nothing weighs its events; set `max_bytes(bytes, weigh)` too, with `usize::MAX` bytes for no limit of its own"
    )]
    BudgetWithoutMaxBytes,
}

impl DemandLimits {
    /// Returns limits of `max` and `min` events.
    ///
    /// # Errors
    ///
    /// [`DemandError`] unless `1 <= max` and `min < max`.
    pub const fn new(max: usize, min: usize) -> Result<Self, DemandError> {
        if max == 0 {
            Err(DemandError::ZeroMax)
        } else if min >= max {
            Err(DemandError::MinNotBelowMax { min, max })
        } else {
            Ok(Self { max, min })
        }
    }

    /// Returns limits of `max` events, with `min` at half of it, rounded down.
    ///
    /// # Errors
    ///
    /// [`DemandError::ZeroMax`] when `max` is 0.
    pub const fn up_to(max: usize) -> Result<Self, DemandError> {
        Self::new(max, max / 2)
    }

    /// Returns the highest pending demand of the consumer, in events.
    #[must_use]
    #[inline]
    pub const fn max(&self) -> usize {
        self.max
    }

    /// Returns the pending demand at or below which the consumer asks again, in
    /// events.
    #[must_use]
    #[inline]
    pub const fn min(&self) -> usize {
        self.min
    }

    /// Returns the maximum number of events in one call of the handler:
    /// `max - min`.
    #[must_use]
    #[inline]
    pub const fn batch_limit(&self) -> usize {
        self.max - self.min
    }
}

impl Default for DemandLimits {
    fn default() -> Self {
        Self {
            max: 1000,
            min: 500,
        }
    }
}

/// The demand of one subscription, tracked by its consumer.
///
/// The window is pure arithmetic: it returns the demand to send, and the caller
/// sends it.
///
/// ```
/// use stage_core::{DemandLimits, DemandWindow};
///
/// let mut window = DemandWindow::new(DemandLimits::new(10, 4).unwrap());
/// assert_eq!(window.open(), 10);      // ask for 10 at first
/// assert_eq!(window.handled(5), 0);   // 5 are pending, which is above 4
/// assert_eq!(window.handled(1), 6);   // 4 are pending: ask up to 10 again
/// ```
///
/// Source: `GenStage.Utils.split_batches/5`.
#[derive(Debug, Clone)]
pub struct DemandWindow {
    limits: DemandLimits,
    pending: usize,
}

impl DemandWindow {
    /// Returns a window with no pending demand.
    #[must_use]
    pub const fn new(limits: DemandLimits) -> Self {
        Self { limits, pending: 0 }
    }

    /// Returns the limits of the window.
    #[must_use]
    #[inline]
    pub const fn limits(&self) -> DemandLimits {
        self.limits
    }

    /// Returns the pending demand: events asked for and not yet handled.
    #[must_use]
    #[inline]
    pub const fn pending(&self) -> usize {
        self.pending
    }

    /// Raises the pending demand to the maximum and returns the demand to send,
    /// in events. Called when the subscription starts.
    #[must_use = "the demand has to be sent"]
    #[inline]
    pub const fn open(&mut self) -> usize {
        let demand = self.limits.max.saturating_sub(self.pending);
        self.pending = self.pending.saturating_add(demand);
        demand
    }

    /// Like [`open`](Self::open), but leaves at most `most` events pending, and at
    /// least 1.
    #[must_use = "the demand has to be sent"]
    pub fn open_within(&mut self, most: usize) -> usize {
        let max = self.limits.max.min(most).max(1);
        let demand = max.saturating_sub(self.pending);
        self.pending = self.pending.saturating_add(demand);
        demand
    }

    /// Like [`handled`](Self::handled), with limits that are cut: the maximum is
    /// `most` if that is lower, but at least 1, and the minimum is lowered in
    /// proportion. Demand that was sent is not taken back.
    ///
    /// ```
    /// use stage_core::{DemandLimits, DemandWindow};
    ///
    /// let mut window = DemandWindow::new(DemandLimits::new(1000, 500).unwrap());
    /// assert_eq!(window.open_within(10), 10);
    /// assert_eq!(window.handled_within(4, 10), 0); // 6 are pending, which is above 5
    /// assert_eq!(window.handled_within(1, 10), 5); // 5 are pending: ask up to 10 again
    /// ```
    #[must_use = "the demand has to be sent"]
    pub fn handled_within(&mut self, count: usize, most: usize) -> usize {
        self.release(count);
        let max = self.limits.max.min(most).max(1);
        let min = self.limits.min as u128 * max as u128 / self.limits.max as u128;
        if self.pending as u128 <= min {
            self.open_within(max)
        } else {
            0
        }
    }

    /// Adds `demand` events that the user asked for explicitly.
    #[inline]
    pub const fn asked(&mut self, demand: usize) {
        self.pending = self.pending.saturating_add(demand);
    }

    /// Records that `count` events have been handled. Returns the demand to
    /// send now, in events; 0 if the pending demand is still above the minimum.
    #[must_use = "the demand has to be sent"]
    #[inline]
    pub const fn handled(&mut self, count: usize) -> usize {
        self.release(count);
        if self.pending <= self.limits.min {
            self.open()
        } else {
            0
        }
    }

    /// Records that `count` events have been handled, without asking again: for
    /// manual mode.
    #[inline]
    pub const fn release(&mut self, count: usize) {
        self.pending = self.pending.saturating_sub(count);
    }
}
