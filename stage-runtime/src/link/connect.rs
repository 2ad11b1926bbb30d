//! Making a link.

use std::sync::Arc;

use stage_core::{DemandLimits, SubscribeError, SubscriptionId};

use super::Station;
use super::consumer_end::ConsumerEnd;
use super::producer_end::ProducerEnd;
use super::state::Link;

/// Makes a link between the tasks behind two stations. `refusal` is what the
/// consumer is told if the producer goes away before it takes the subscription.
pub(crate) fn connect<E>(
    id: SubscriptionId,
    demand: DemandLimits,
    producer: Arc<Station>,
    consumer: Arc<Station>,
    refusal: SubscribeError,
) -> (ProducerEnd<E>, ConsumerEnd<E>) {
    let link = Link::new(id, demand, producer, consumer);
    (
        ProducerEnd::new(Arc::clone(&link), refusal),
        ConsumerEnd::new(link),
    )
}
