//! The constructor of links.

use std::sync::Arc;

use stage_core::{DemandLimits, SubscriptionId};

use super::Notifier;
use super::consumer_end::ConsumerEnd;
use super::producer_end::ProducerEnd;
use super::state::Link;

/// Makes a link between two tasks, given their notifiers, and returns its ends.
///
/// The ends can be used at once: demand that the consumer asks for waits on the link
/// until the producer has taken the subscription.
pub(crate) fn connect<E>(
    id: SubscriptionId,
    demand: DemandLimits,
    producer: Arc<Notifier>,
    consumer: Arc<Notifier>,
) -> (ProducerEnd<E>, ConsumerEnd<E>) {
    let link = Link::new(id, demand, producer, consumer);
    (ProducerEnd::new(Arc::clone(&link)), ConsumerEnd::new(link))
}
