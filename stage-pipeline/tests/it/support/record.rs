//! Handlers that keep what they see.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use stage_pipeline::{BatchHandler, Failed, Handler, Message, MessageBatch, Trigger};
use tokio::time::Instant;

/// What happened, in order.
#[derive(Debug)]
pub(crate) struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Log<T> {
    pub(crate) fn push(&self, item: T) {
        self.0.lock().push(item);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    pub(crate) fn all(&self) -> Vec<T>
    where
        T: Clone,
    {
        self.0.lock().clone()
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// A handler that does nothing.
pub(crate) fn pass() -> impl Handler<Data = u64> {
    stage_pipeline::handler_fn(|_: &mut Message<u64>| Ok(()))
}

/// Handlers that keep the data of each message.
pub(crate) fn record_data(log: &Log<u64>) -> impl Fn() -> DataRecorder + Send + Sync + 'static {
    let log = log.clone();
    move || DataRecorder(log.clone())
}

pub(crate) struct DataRecorder(Log<u64>);

impl Handler for DataRecorder {
    type Data = u64;

    async fn handle(&mut self, message: &mut Message<u64>) -> Result<(), Failed> {
        self.0.push(message.data);
        Ok(())
    }
}

/// A batch, as its handler saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) data: Vec<u64>,
    pub(crate) batcher: String,
    pub(crate) key: Option<String>,
    pub(crate) partition: usize,
    pub(crate) trigger: Trigger,
    /// When it was handled, since the log was made.
    pub(crate) at: Duration,
    /// The number of its handler, in the order in which they were made.
    pub(crate) handler: usize,
}

/// Batch handlers that keep each batch.
pub(crate) fn batches(log: &Log<Seen>) -> impl Fn() -> Recording + Send + Sync + 'static {
    let log = log.clone();
    let begin = Instant::now();
    let made = std::sync::atomic::AtomicUsize::new(0);
    move || Recording {
        log: log.clone(),
        begin,
        number: made.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
    }
}

pub(crate) struct Recording {
    log: Log<Seen>,
    begin: Instant,
    number: usize,
}

impl BatchHandler for Recording {
    type Data = u64;

    async fn handle_batch(&mut self, batch: &mut MessageBatch<u64>) -> Result<(), Failed> {
        self.log.push(Seen {
            data: batch.data().copied().collect(),
            batcher: batch.batcher.to_string(),
            key: batch.key.as_deref().map(str::to_owned),
            partition: batch.partition,
            trigger: batch.trigger,
            at: self.begin.elapsed(),
            handler: self.number,
        });
        Ok(())
    }
}

/// The sizes of all batches.
pub(crate) fn sizes(log: &Log<Seen>) -> Vec<usize> {
    log.all().iter().map(|seen| seen.data.len()).collect()
}
