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
/// | `Pooled` | ends too, once no other subscription is left | the same | the same |
///
/// "Ends too" means that the consumer completes. It does so when no subscription is left, of
/// whatever mode, and if its `may_complete` allows it. So a permanent subscription beside
/// pooled ones keeps its own effect: the consumer completes when both kinds have ended, and
/// ends at once if the permanent one is cancelled or fails.
///
/// A producer that refuses a subscription which the consumer was spawned with fails the
/// consumer, unless the subscription is temporary. A pooled one counts as ended if it is
/// refused because its producer has ended.
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
    /// For each producer of a pool or a merge: the consumer outlives a producer that is
    /// stopped or fails, and completes when the last of them has ended, in whatever way.
    ///
    /// A pool that is about to be refilled has to keep one subscription: when the last one
    /// has ended, the consumer completes.
    ///
    /// Source: `mergeDelayError` of `ReactiveX`, without the error at the end; it is traced
    /// instead, and the failed producer reports it.
    Pooled,
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
