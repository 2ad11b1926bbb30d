//! Subscriptions: their identifier, their modes and the peer at the other end.

use std::fmt;
use std::sync::Arc;

use crate::DemandLimits;

/// Identifies a subscription, at both of its ends.
///
/// The runtime gives each subscription an id that is unique in the process; a
/// test without a runtime chooses its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SubscriptionId(u64);

impl SubscriptionId {
    /// Returns the id with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number of the id.
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

/// The effect on a consumer when one of its subscriptions ends.
///
/// A subscription *completes* when the producer has delivered everything; this
/// never fails the consumer. The modes differ in the other ways to end:
///
/// | mode | producer completed | cancelled | producer failed |
/// |---|---|---|---|
/// | `Permanent` | ends too, once no other subscription is left | ends | ends |
/// | `Transient` | continues | continues | ends |
/// | `Temporary` | continues | continues | continues |
///
/// Source: the `:cancel` option of `GenStage.sync_subscribe/3`. There, a
/// permanent subscription ends its consumer at once even if others are still
/// delivering; here a completed source lets the others finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CancelMode {
    /// The consumer ends when the subscription does. The default.
    #[default]
    Permanent,
    /// The consumer ends only if the producer failed.
    Transient,
    /// The consumer continues in all cases.
    Temporary,
}

/// The mode of a subscription: whether the stage or the user asks for events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DemandMode {
    /// The stage asks automatically, within the demand limits. The default.
    #[default]
    Automatic,
    /// Only [`Context::ask`](crate::Context::ask) asks.
    Manual,
}

/// The stage at the other end of a subscription, as passed to callbacks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Peer {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The name of the stage at the other end.
    pub stage: Arc<str>,
    /// The demand limits of the consumer.
    pub demand: DemandLimits,
    /// The effect on the consumer when the subscription ends.
    pub cancel_mode: CancelMode,
}

impl Peer {
    /// Returns a peer with these values.
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
