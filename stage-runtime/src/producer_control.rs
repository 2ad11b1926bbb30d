//! Control requests to the producer half of a stage.

use std::sync::Arc;
use std::time::Duration;

use stage_core::{Gate, Outcome, Peer, Reason, SubscriptionId};

use crate::link::{Ended, ProducerEnd};
use crate::reply::{SubscribeReply, answer, ended, producer_dropped};

/// The sending side of a stage's control queue, for consumers of the stage: they do
/// not know its type.
pub(crate) type ProducerControlSender<E, R> = Arc<dyn SendProducerControl<E, R> + Send + Sync>;

/// The operations of a [`ProducerControlSender`].
pub(crate) trait SendProducerControl<E, R> {
    /// Queues a request to the producer half; returns it if the stage has ended.
    /// The caller notifies the stage.
    fn send_to_producer(&self, control: ProducerControl<E, R>)
    -> Result<(), ProducerControl<E, R>>;
}

/// A request to the producer half of a stage.
#[derive(Debug)]
pub(crate) enum ProducerControl<E, R> {
    /// Take a subscriber.
    Subscribe {
        consumer: Peer,
        route: R,
        end: ProducerEnd<E>,
        reply: SubscribeReply,
    },
    /// Open or close the gate.
    SetGate(Gate),
    /// End the subscription of a consumer.
    Evict(SubscriptionId, Reason),
    /// End the subscription of a consumer once it has not asked for this long.
    EvictAfter(SubscriptionId, Duration),
    /// Change the route of a consumer.
    Reroute {
        id: SubscriptionId,
        route: R,
        reply: SubscribeReply,
    },
}

impl<E, R> ProducerControl<E, R> {
    /// Answers the request for `producer`, which has ended with `outcome`: refuses a new
    /// route, and ends a subscription.
    ///
    /// If the producer has completed or failed and no caller waits for a reply, the
    /// subscription completes or fails like those that were in time. In all other
    /// cases it is refused.
    pub(crate) fn turn_away(self, producer: &Arc<str>, outcome: Option<Outcome>) {
        let outcome = outcome.unwrap_or_else(producer_dropped);
        let error = ended(producer, &outcome);
        match self {
            Self::Subscribe { end, reply, .. } => {
                end.end(match (&reply, outcome) {
                    (None, ended @ (Outcome::Completed | Outcome::Failed(_))) => {
                        Ended::Outcome(ended)
                    }
                    _ => Ended::Refused(Box::new(error.clone())),
                });
                answer(reply, Err(error));
            }
            Self::Reroute { reply, .. } => answer(reply, Err(error)),
            Self::SetGate(_) | Self::Evict(..) | Self::EvictAfter(..) => {}
        }
    }
}
