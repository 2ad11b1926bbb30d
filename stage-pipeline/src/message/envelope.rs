//! [`Message`]: data with the duty to settle it.

use std::fmt;
use std::sync::Arc;

use super::{Failed, Metadata};
use crate::ack::{self, Ack};

/// Data on its way through a pipeline, with its [metadata](Metadata) and the duty to
/// settle it at its origin.
///
/// A message settles exactly once: when a step fails it, when a batch handler returns,
/// or, negatively, when it is dropped. It cannot be cloned;
/// [`split`](Self::split) makes several messages of one.
///
/// ```
/// use stage_pipeline::Message;
///
/// let mut message = Message::unacknowledged("7".to_owned());
/// message.data.push('0');
/// message.set_batcher("large");
/// assert_eq!(message.data, "70");
/// ```
///
/// Source: `Broadway.Message`.
pub struct Message<T> {
    /// The data.
    pub data: T,
    pub(crate) ack: Ack,
    pub(crate) envelope: Envelope,
}

/// What a message carries beside its data. Small, because a message is moved several times
/// on its way; what most messages do not have is behind one pointer.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    metadata: Metadata,
    pub(crate) batcher: Option<&'static str>,
    details: Option<Box<Details>>,
    /// A part of the hash that its partition comes from.
    pub(crate) partition: u32,
    pub(crate) flush: bool,
    pub(crate) finished: bool,
}

#[derive(Debug, Clone, Default)]
struct Details {
    /// The number that the source gave it, in a pipeline that keeps order.
    sequence: u64,
    batch_key: Option<Arc<str>>,
    failed: Option<Failed>,
    span: Option<tracing::Span>,
}

impl<T> Message<T> {
    /// Returns a message that is settled by `ack`.
    pub const fn new(data: T, metadata: Metadata, ack: Ack) -> Self {
        let envelope = Envelope {
            metadata,
            batcher: None,
            details: None,
            partition: 0,
            flush: false,
            finished: false,
        };
        Self {
            data,
            ack,
            envelope,
        }
    }

    /// Returns a message that nobody waits for: settling it has no effect.
    pub const fn unacknowledged(data: T) -> Self {
        Self::new(data, Metadata::new(), Ack::none())
    }

    /// Returns what the origin says about the message.
    #[must_use]
    pub const fn metadata(&self) -> &Metadata {
        &self.envelope.metadata
    }

    /// Returns the number of the message at its origin.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.ack.token().id
    }

    /// Fails the message: it is settled as `failure` says, and goes no further.
    pub fn fail(&mut self, failure: impl Into<Failed>) {
        self.envelope.details().failed = Some(failure.into());
    }

    /// Returns the failure of the message, if it has failed.
    #[must_use]
    pub fn failure(&self) -> Option<&Failed> {
        self.envelope.details.as_ref()?.failed.as_ref()
    }

    /// Takes the failure back: the message goes on.
    pub fn recover(&mut self) -> Option<Failed> {
        self.envelope.details.as_mut()?.failed.take()
    }

    /// Ends the way of the message at this step: it is acknowledged when the step has
    /// handled its events, and goes no further. A filter does this.
    pub const fn finish(&mut self) {
        self.envelope.finished = true;
    }

    /// Chooses the batcher by its name. Without a choice it is the first of the pipeline.
    /// A name that no batcher has fails the message.
    pub const fn set_batcher(&mut self, name: &'static str) {
        self.envelope.batcher = Some(name);
    }

    /// Returns the batcher that was chosen.
    #[must_use]
    pub const fn batcher(&self) -> Option<&'static str> {
        self.envelope.batcher
    }

    /// Sets the batch key: messages with different keys are in different batches.
    pub fn set_batch_key(&mut self, key: impl Into<Arc<str>>) {
        self.envelope.details().batch_key = Some(key.into());
    }

    /// Returns the batch key.
    #[must_use]
    pub fn batch_key(&self) -> Option<&str> {
        self.envelope.details.as_ref()?.batch_key.as_deref()
    }

    /// Makes the batch that the message gets into leave at once.
    pub const fn set_flush(&mut self) {
        self.envelope.flush = true;
    }

    /// Replaces the data, and keeps everything else.
    pub fn with_data<U>(self, data: U) -> Message<U> {
        self.map(|_| data)
    }

    /// Maps the data, and keeps everything else.
    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> Message<U> {
        let Self {
            data,
            ack,
            envelope,
        } = self;
        Message {
            data: map(data),
            ack,
            envelope,
        }
    }

    /// Makes one message of each part. The origin gets the worst verdict of all, when the
    /// last part is settled.
    ///
    /// # Errors
    ///
    /// Returns the message if there are no parts: whether that is a success or a failure,
    /// the caller decides.
    #[allow(clippy::result_large_err, reason = "it is the message that was given")]
    pub fn split<U>(self, parts: Vec<U>) -> Result<Vec<Message<U>>, Self> {
        let Self {
            data,
            ack,
            envelope,
        } = self;
        match ack::split(ack, parts.len()) {
            Ok(acks) => {
                let parts = parts.into_iter().zip(acks);
                let part = |(data, ack)| Message {
                    data,
                    ack,
                    envelope: envelope.clone(),
                };
                Ok(parts.map(part).collect())
            }
            Err(ack) => Err(Self {
                data,
                ack,
                envelope,
            }),
        }
    }

    /// Makes one message of several: the verdict on it settles each of them. The metadata
    /// is that of the first message. Returns `None` if there is no message.
    pub fn merge<U>(messages: Vec<Self>, data: U) -> Option<Message<U>> {
        let metadata = messages.first()?.metadata().clone();
        let acks = messages.into_iter().map(|message| message.ack).collect();
        Some(Message::new(data, metadata, ack::merge(acks)))
    }

    /// Returns the batch key, shared.
    pub(crate) fn shared_batch_key(&self) -> Option<Arc<str>> {
        self.envelope.details.as_ref()?.batch_key.clone()
    }

    /// Returns the number that the source gave it, in a pipeline that keeps order.
    pub(crate) fn sequence(&self) -> u64 {
        self.envelope
            .details
            .as_ref()
            .map_or(0, |details| details.sequence)
    }

    pub(crate) fn set_sequence(&mut self, sequence: u64) {
        self.envelope.details().sequence = sequence;
    }

    /// Sets the partition by a hash.
    pub(crate) const fn set_partition(&mut self, hash: u64) {
        // The upper half: the better one of a hash that multiplies.
        self.envelope.partition = (hash >> 32) as u32;
    }

    pub(crate) fn span(&self) -> Option<&tracing::Span> {
        self.envelope.details.as_ref()?.span.as_ref()
    }

    /// Begins the span of the message, from its lease to its verdict.
    pub(crate) fn enter(&mut self, origin: &str) {
        let span = tracing::info_span!(
            "message",
            origin,
            id = self.id(),
            deliveries = self.metadata().deliveries(),
            traceparent = self
                .metadata()
                .trace()
                .map(|trace| trace.traceparent.as_str()),
        );
        self.envelope.details().span = Some(span);
    }

    /// Takes the data out, and leaves everything else.
    pub(crate) fn take_data(self) -> (T, Message<()>) {
        let Self {
            data,
            ack,
            envelope,
        } = self;
        (
            data,
            Message {
                data: (),
                ack,
                envelope,
            },
        )
    }

    /// Takes the message apart, for a handler that settles it itself.
    pub fn into_parts(self) -> (T, Metadata, Ack) {
        (self.data, self.envelope.metadata, self.ack)
    }
}

impl Envelope {
    fn details(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }
}

impl<T: fmt::Debug> fmt::Debug for Message<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id())
            .field("data", &self.data)
            .field("metadata", self.metadata())
            .field("failed", &self.failure())
            .finish_non_exhaustive()
    }
}
