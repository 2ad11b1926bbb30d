//! What a handle asks of a stage's consumer half.

use stage_core::{Reason, SubscriptionId};

use crate::reply::SubscribeReply;
use crate::subscription::Subscription;

/// A request of a handle to the consumer half of a stage.
#[derive(Debug)]
pub(crate) enum ConsumerControl<E> {
    Subscribe {
        subscription: Subscription<E>,
        /// A subscription that this one takes the place of.
        instead_of: Option<(SubscriptionId, Reason)>,
        reply: SubscribeReply,
    },
    Cancel(SubscriptionId, Reason),
    Ask(SubscriptionId, usize),
}
