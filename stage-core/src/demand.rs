//! Demand: how many events a consumer is ready for.
//!
//! [`DemandLimits`] is what the user sets, [`DemandWindow`] the arithmetic one
//! subscription does with it. Demand counts events and saturates; it never
//! wraps.

use thiserror::Error;

/// How much a consumer asks for, and when it asks again; in events.
///
/// A consumer asks for `max` at first. Once what it has asked for and not yet
/// handled has sunk to `min` or below, it asks again, up to `max`. Its handler
/// sees batches of at most `max - min` events.
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

/// A demand limit that cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DemandError {
    /// `max_demand` was 0: the consumer would never ask.
    #[error(
        "max_demand is 0, but a consumer that asks for nothing gets nothing; set it to at least 1"
    )]
    ZeroMax,
    /// `min_demand` was not below `max_demand`: the consumer would have to ask
    /// again before it has handled anything.
    #[error("min_demand is {min}, but must be below max_demand, which is {max}; set it within 0..={}", .max - 1)]
    MinNotBelowMax {
        /// The `min_demand` given.
        min: usize,
        /// The `max_demand` it was given with, at least 1.
        max: usize,
    },
}

impl DemandLimits {
    /// Limits with both numbers given, in events.
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

    /// Limits with `min` at half of `max`, rounded down.
    ///
    /// # Errors
    ///
    /// [`DemandError::ZeroMax`] when `max` is 0.
    pub const fn up_to(max: usize) -> Result<Self, DemandError> {
        Self::new(max, max / 2)
    }

    /// The most a consumer has asked for at any time, in events.
    #[must_use]
    #[inline]
    pub const fn max(&self) -> usize {
        self.max
    }

    /// The pending demand at which a consumer asks again, in events.
    #[must_use]
    #[inline]
    pub const fn min(&self) -> usize {
        self.min
    }

    /// The most events one call of a handler gets: `max - min`.
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

/// The demand of one subscription, kept by its consumer.
///
/// Pure arithmetic: it says how much to ask, the caller asks.
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
    /// A window that has asked for nothing yet.
    #[must_use]
    pub const fn new(limits: DemandLimits) -> Self {
        Self { limits, pending: 0 }
    }

    /// The limits the window keeps to.
    #[must_use]
    #[inline]
    pub const fn limits(&self) -> DemandLimits {
        self.limits
    }

    /// What has been asked for and not been handled yet, in events.
    #[must_use]
    #[inline]
    pub const fn pending(&self) -> usize {
        self.pending
    }

    /// Asks up to the maximum: the demand to send when the subscription
    /// starts, in events.
    #[must_use = "the demand has to be sent"]
    #[inline]
    pub const fn open(&mut self) -> usize {
        let demand = self.limits.max.saturating_sub(self.pending);
        self.pending = self.pending.saturating_add(demand);
        demand
    }

    /// Notes demand that was sent by hand.
    #[inline]
    pub const fn asked(&mut self, demand: usize) {
        self.pending = self.pending.saturating_add(demand);
    }

    /// Notes that a batch of `count` events has been handled; returns the
    /// demand to send now, 0 for none.
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

    /// Notes that `count` events have been handled, without asking again: for
    /// a consumer that asks by hand.
    #[inline]
    pub const fn release(&mut self, count: usize) {
        self.pending = self.pending.saturating_sub(count);
    }
}
