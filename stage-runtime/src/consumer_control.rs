//! Control requests to the consumer half of a stage.

use stage_core::{Reason, SubscriptionId};

use crate::reply::SubscribeReply;
use crate::subscription::Subscription;

/// A request to the consumer half of a stage.
#[derive(Debug)]
pub(crate) enum ConsumerControl<E> {
    /// Subscribe to one more producer.
    Subscribe {
        subscription: Subscription<E>,
        /// The subscription that this one replaces, and why that is cancelled.
        instead_of: Option<(SubscriptionId, Reason)>,
        reply: SubscribeReply,
    },
    /// Cancel a subscription.
    Cancel(SubscriptionId, Reason),
    /// Ask for more events over a subscription.
    Ask(SubscriptionId, usize),
}
