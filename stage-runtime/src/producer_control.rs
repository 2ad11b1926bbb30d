//! Control requests to the producer half of a stage.

use std::sync::Arc;

use stage_core::{Gate, Outcome, Peer};

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
}

impl<E, R> ProducerControl<E, R> {
    /// Ends the subscription in the request for `producer`, which has ended with
    /// `outcome`.
    ///
    /// If the producer has completed or failed and no caller waits for a reply, the
    /// subscription completes or fails like those that were in time. In all other
    /// cases it is refused.
    pub(crate) fn turn_away(self, producer: &Arc<str>, outcome: Option<Outcome>) {
        let Self::Subscribe { end, reply, .. } = self else {
            return;
        };
        let outcome = outcome.unwrap_or_else(producer_dropped);
        let error = ended(producer, &outcome);
        end.end(match (&reply, outcome) {
            (None, ended @ (Outcome::Completed | Outcome::Failed(_))) => Ended::Outcome(ended),
            _ => Ended::Refused(Box::new(error.clone())),
        });
        answer(reply, Err(error));
    }
}
