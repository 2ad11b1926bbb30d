//! [`BatchHandler`]: what is done with a batch. [`MessageBatch`]: the batch.

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;

use super::Trigger;
use crate::guarantee::Guarantee;
use crate::message::{Failed, Message};

/// Messages that are handled together.
///
/// Messages that are left in it, and have not failed, are acknowledged when the batch
/// handler returns. A message that the handler takes out is the handler's to settle.
#[non_exhaustive]
pub struct MessageBatch<T> {
    /// The messages, in order of arrival.
    pub messages: Vec<Message<T>>,
    /// The name of the batcher.
    pub batcher: Arc<str>,
    /// The batch key that the messages share.
    pub key: Option<Arc<str>>,
    /// The number of the partition, below the concurrency of the batch handlers; 0 if the
    /// pipeline has no partitions.
    pub partition: usize,
    /// Why the batch is complete.
    pub trigger: Trigger,
}

impl<T> MessageBatch<T> {
    /// Returns the data of the messages.
    #[must_use]
    pub fn data(&self) -> impl ExactSizeIterator<Item = &T> {
        self.messages.iter().map(|message| &message.data)
    }
}

impl<T> fmt::Debug for MessageBatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageBatch")
            .field("batcher", &self.batcher)
            .field("key", &self.key)
            .field("partition", &self.partition)
            .field("trigger", &self.trigger)
            .field("messages", &self.messages.len())
            .finish()
    }
}

/// Handles batches of messages: the end of their way, after which they are settled.
///
/// ```
/// use stage_pipeline::{BatchHandler, Failed, MessageBatch};
///
/// #[derive(Default)]
/// struct Sum(u64);
///
/// impl BatchHandler for Sum {
///     type Data = u64;
///
///     async fn handle_batch(&mut self, batch: &mut MessageBatch<u64>) -> Result<(), Failed> {
///         for message in &mut batch.messages {
///             match self.0.checked_add(message.data) {
///                 Some(sum) => self.0 = sum,
///                 None => message.fail("the sum is too large"),
///             }
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// Source: `handle_batch/4` of Broadway.
pub trait BatchHandler: Send + 'static {
    /// The data of the messages.
    type Data: Send + 'static;

    /// What the handler promises when it returns `Ok`. [`Guarantee::Durable`] by default:
    /// whatever the messages were for has happened. A handler that sends without an answer
    /// says [`Guarantee::AtMostOnce`].
    const GUARANTEE: Guarantee = Guarantee::Durable;

    /// Handles a batch. Messages are answered one by one: those that are marked with
    /// [`Message::fail`] fail, the others are acknowledged.
    ///
    /// # Errors
    ///
    /// An error or a panic fails all messages that are left in the batch and have not
    /// failed already.
    fn handle_batch(
        &mut self,
        batch: &mut MessageBatch<Self::Data>,
    ) -> impl Future<Output = Result<(), Failed>> + Send;

    /// Called with messages that have failed, before they are settled; as
    /// [`Handler::handle_failed`](crate::Handler::handle_failed).
    fn handle_failed(
        &mut self,
        failed: &mut [Message<Self::Data>],
    ) -> impl Future<Output = ()> + Send {
        let _ = failed;
        ready(())
    }
}
