//! [`Batcher`]: the options of a batcher.

use std::fmt;
use std::time::Duration;

use crate::batch::{BatchLimitError, OpenBatches, Splitter};
use crate::message::Message;

/// The options of a batcher, which puts messages together for its batch handlers.
///
/// | option | default |
/// |---|---|
/// | [`size`](Batcher::size) | 100 messages |
/// | [`bytes`](Batcher::bytes), [`split`](Batcher::split) | no further limit |
/// | [`timeout`](Batcher::timeout) | 1 s, from the first message of a batch |
/// | [`max_open`](Batcher::max_open) | 10,000 messages in all open batches |
/// | [`concurrency`](Batcher::concurrency) | 1 batch handler |
/// | [`max_demand`](Batcher::max_demand) | the size, of each member of the last step |
///
/// A name alone is a batcher with the defaults.
///
/// ```
/// use std::time::Duration;
/// use stage_pipeline::{Batcher, Message};
///
/// let upload = Batcher::new("upload")
///     .bytes(1 << 20, |message: &Message<Vec<u8>>| message.data.len())
///     .timeout(Duration::from_millis(200))
///     .concurrency(4);
/// # let _ = upload;
/// ```
///
/// Source: the options of a batcher in Broadway.
pub struct Batcher<T> {
    pub(crate) name: &'static str,
    splitter: Result<Splitter<Message<T>>, BatchLimitError>,
    size: usize,
    timeout: Option<Duration>,
    max_open: usize,
    pub(crate) concurrency: usize,
    pub(crate) max_demand: Option<usize>,
}

impl<T: 'static> Batcher<T> {
    /// Returns the default options of a batcher with this name.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            splitter: Splitter::count(100),
            size: 100,
            timeout: Some(Duration::from_secs(1)),
            max_open: 10_000,
            concurrency: 1,
            max_demand: None,
        }
    }

    /// Sets the number of messages in a batch. At least 1.
    #[must_use]
    pub fn size(mut self, messages: usize) -> Self {
        self.splitter = self
            .splitter
            .and_then(|splitter| splitter.at_most(messages));
        self.size = messages;
        self
    }

    /// Limits a batch to so many bytes as well, as `weigh` counts them. A message that is
    /// larger by itself gets a batch of its own.
    #[must_use]
    pub fn bytes(mut self, limit: usize, weigh: fn(&Message<T>) -> usize) -> Self {
        self.splitter =
            Splitter::bytes(limit, weigh).and_then(|splitter| splitter.at_most(self.size));
        self
    }

    /// Sets a splitter of your own; [`size`](Self::size), set after it, still limits it.
    #[must_use]
    pub fn split(mut self, splitter: Splitter<Message<T>>) -> Self {
        self.splitter = Ok(splitter);
        self
    }

    /// Sets how long a batch waits for further messages, counted from its first one.
    /// `None` waits without limit.
    #[must_use]
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// Sets the number of messages in all open batches at which the oldest one leaves,
    /// full or not. At least 1.
    #[must_use]
    pub const fn max_open(mut self, messages: usize) -> Self {
        self.max_open = messages;
        self
    }

    /// Sets the number of batch handlers: so many batches are handled at the same time. At
    /// least 1.
    #[must_use]
    pub const fn concurrency(mut self, handlers: usize) -> Self {
        self.concurrency = handlers;
        self
    }

    /// Sets the most messages that the batcher asks each member of the last step for.
    #[must_use]
    pub const fn max_demand(mut self, messages: usize) -> Self {
        self.max_demand = Some(messages);
        self
    }

    /// The size of a batch as far as it is known, to ask for.
    pub(crate) fn demand(&self) -> usize {
        self.max_demand.unwrap_or(self.size)
    }

    pub(crate) fn open<K: Eq + std::hash::Hash + Clone>(
        &self,
    ) -> Result<OpenBatches<Message<T>, K>, BatchLimitError> {
        OpenBatches::new(self.splitter.clone()?, self.timeout, self.max_open)
    }
}

impl<T: 'static> From<&'static str> for Batcher<T> {
    fn from(name: &'static str) -> Self {
        Self::new(name)
    }
}

impl<T> fmt::Debug for Batcher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher")
            .field("name", &self.name)
            .field("splitter", &self.splitter)
            .field("timeout", &self.timeout)
            .field("max_open", &self.max_open)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
