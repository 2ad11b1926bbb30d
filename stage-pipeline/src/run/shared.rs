//! [`Shared`]: what all stages of a pipeline know.

use std::sync::Arc;

use crate::ack::{Settlements, Verdict};
use crate::dead_letter::{DeadLetter, SharedSink};
use crate::message::Message;
use crate::policy::{FenceVerdict, Retry, SharedFence};
use crate::source::UnsettledKeys;

/// What all stages of a pipeline know.
pub(crate) struct Shared {
    pub(crate) name: Arc<str>,
    pub(crate) retry: Retry,
    pub(crate) dead_letters: Option<SharedSink>,
    /// Whether messages of one key are kept in order, also when one of them fails.
    pub(crate) ordered: bool,
    /// Numbers the messages of all sources, too.
    pub(crate) fence: SharedFence,
    pub(crate) unsettled_keys: UnsettledKeys,
    /// Whether each message has a span.
    pub(crate) spans: bool,
}

impl Shared {
    /// Whether an earlier message of the same key has failed, so that this one has to
    /// come again after it.
    pub(crate) fn is_behind<T>(&self, message: &Message<T>) -> bool {
        self.ordered
            && self
                .fence
                .verdict(message.envelope.partition.into(), message.sequence())
                == FenceVerdict::Behind
    }

    /// Makes messages of the same key that are under way go back behind this one.
    fn hold_back<T>(&self, failed: &Message<T>) {
        if self.ordered && failed.metadata().key().is_some() {
            self.fence
                .fail(failed.envelope.partition.into(), failed.sequence());
        }
    }

    /// What the retry policy says of a message that failed at this delivery.
    fn verdict(&self, deliveries: u32) -> Verdict {
        if self.retry.is_exhausted(deliveries) {
            Verdict::Reject
        } else {
            Verdict::Retry(self.retry.delay(deliveries))
        }
    }

    /// Decides what becomes of messages that have failed in `step`: those that were
    /// recovered are acknowledged, the others are retried, released or rejected. Dead
    /// letters are sent first; those that their sink does not take are retried.
    pub(crate) async fn settle_failed<T: Send + 'static>(
        &self,
        failed: &mut Vec<Message<T>>,
        settlements: &mut Settlements,
        step: &Arc<str>,
    ) {
        let mut dead = Vec::new();
        for mut message in failed.drain(..) {
            let Some(failure) = message.recover() else {
                settlements.push(message.ack, Verdict::Ack, None);
                continue;
            };
            let deliveries = message.metadata().deliveries();
            let verdict = match failure.verdict() {
                Some(Verdict::Retry(_)) if self.retry.is_exhausted(deliveries) => Verdict::Reject,
                Some(verdict) => verdict,
                None => self.verdict(deliveries),
            };
            let reason: Arc<str> = failure.to_string().into();
            if verdict == Verdict::Reject {
                dead.push((message, reason));
            } else {
                tracing::debug!(step = %step, id = message.id(), %reason, ?verdict, "a message has failed");
                self.hold_back(&message);
                settlements.push(message.ack, verdict, Some(reason));
            }
        }
        if !dead.is_empty() {
            self.bury(dead, settlements, step).await;
        }
    }

    /// Sends messages to the dead letters, and then rejects them.
    pub(crate) async fn bury<T: Send + 'static>(
        &self,
        dead: Vec<(Message<T>, Arc<str>)>,
        settlements: &mut Settlements,
        step: &Arc<str>,
    ) {
        let Some(sink) = &self.dead_letters else {
            for (message, reason) in dead {
                settlements.push(message.ack, Verdict::Reject, Some(reason));
            }
            return;
        };
        let mut letters = Vec::with_capacity(dead.len());
        let mut rest = Vec::with_capacity(dead.len());
        for (message, reason) in dead {
            let (origin, id) = (message.ack.origin_name(), message.id());
            let metadata = message.metadata().clone();
            let (data, bare) = message.take_data();
            rest.push((bare, Arc::clone(&reason)));
            letters.push(DeadLetter {
                origin,
                id,
                step: Arc::clone(step),
                reason,
                metadata,
                data: Box::new(data),
            });
        }
        let sent = sink.send(&mut letters).await;
        if let Err(error) = &sent {
            tracing::error!(%error, count = rest.len(), "the dead-letter sink failed; its messages are retried");
        }
        for (message, reason) in rest {
            let verdict = if sent.is_ok() {
                Verdict::Reject
            } else {
                self.hold_back(&message);
                Verdict::Retry(self.retry.delay(message.metadata().deliveries()))
            };
            settlements.push(message.ack, verdict, Some(reason));
        }
    }
}
