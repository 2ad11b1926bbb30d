//! What both ends of a subscription know about it.

use std::fmt;
use std::sync::Arc;

use crate::DemandLimits;

/// Names one subscription, at both of its ends.
///
/// The runtime gives every subscription of the process its own; a pure test
/// makes them up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SubscriptionId(u64);

impl SubscriptionId {
    /// The subscription with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number it was made with.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "subscription {}", self.0)
    }
}

/// What the end of a subscription does to its consumer.
///
/// A subscription that *completes* has delivered everything: it never fails
/// its consumer. The modes differ in what else ends the consumer:
///
/// | mode | producer completed | cancelled | producer failed |
/// |---|---|---|---|
/// | `Permanent` | ends with it, once no other subscription is left | ends | ends |
/// | `Transient` | lives | lives | ends |
/// | `Temporary` | lives | lives | lives |
///
/// Source: the `:cancel` option of `GenStage.sync_subscribe/3`. There, a
/// permanent subscription ends its consumer at once even if others are still
/// delivering; here a completed source lets the others finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CancelMode {
    /// The consumer ends when the subscription does. The default.
    #[default]
    Permanent,
    /// The consumer ends only when the producer failed.
    Transient,
    /// The consumer lives on whatever happens.
    Temporary,
}

/// Who asks for events over a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DemandMode {
    /// The stage asks by itself, as the demand limits say. The default.
    #[default]
    Automatic,
    /// Only [`Context::ask`](crate::Context::ask) asks.
    Manual,
}

/// The other end of a subscription, as a stage's callbacks see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Peer {
    /// Names the subscription.
    pub subscription: SubscriptionId,
    /// The name of the stage at the other end.
    pub stage: Arc<str>,
    /// How much the consumer asks for at a time.
    pub demand: DemandLimits,
    /// What the end of the subscription does to the consumer.
    pub cancel_mode: CancelMode,
}

impl Peer {
    /// Describes the other end of a subscription.
    #[must_use]
    pub const fn new(
        subscription: SubscriptionId,
        stage: Arc<str>,
        demand: DemandLimits,
        cancel_mode: CancelMode,
    ) -> Self {
        Self {
            subscription,
            stage,
            demand,
            cancel_mode,
        }
    }
}
