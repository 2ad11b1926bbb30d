//! [`QueueSink`]: a topic as the end of a pipeline.

use std::fmt;
use std::marker::PhantomData;

use stage_pipeline::{BatchHandler, Failed, Message, MessageBatch};

use crate::{NewMessage, Topic};

/// A batch handler that enqueues the messages of a pipeline to a [`Topic`]; from
/// [`Topic::sink`].
///
/// A batch is one transaction: when it is acknowledged, all of it is as durable as
/// [`Durability`](crate::Durability) says, and if it fails, none of it was enqueued, unless the
/// queue has stopped. A trace context is kept in the headers `traceparent` and `tracestate`.
///
/// A message that is delivered again is enqueued again: give it
/// [a deduplication key](NewMessage::deduplicated) if that matters.
pub struct QueueSink<T, F> {
    topic: Topic,
    encode: F,
    data: PhantomData<fn(T)>,
}

impl<T, F> QueueSink<T, F> {
    pub(crate) const fn new(topic: Topic, encode: F) -> Self {
        Self {
            topic,
            encode,
            data: PhantomData,
        }
    }
}

impl<T, F> BatchHandler for QueueSink<T, F>
where
    T: Send + 'static,
    F: FnMut(&Message<T>) -> Result<NewMessage, Failed> + Send + 'static,
{
    type Data = T;

    async fn handle_batch(&mut self, batch: &mut MessageBatch<T>) -> Result<(), Failed> {
        let mut new = Vec::with_capacity(batch.messages.len());
        for message in &mut batch.messages {
            match (self.encode)(message) {
                Ok(encoded) => new.push(with_trace(encoded, message)),
                Err(failed) => message.fail(failed),
            }
        }
        if !new.is_empty() {
            self.topic.enqueue_all(new).await?;
        }
        Ok(())
    }
}

fn with_trace<T>(mut encoded: NewMessage, message: &Message<T>) -> NewMessage {
    let Some(trace) = message.metadata().trace() else {
        return encoded;
    };
    if encoded
        .headers
        .iter()
        .any(|(name, _)| name == "traceparent")
    {
        return encoded;
    }
    encoded = encoded.with_header("traceparent", trace.traceparent.clone());
    if !trace.tracestate.is_empty() {
        encoded = encoded.with_header("tracestate", trace.tracestate.clone());
    }
    encoded
}

impl<T, F> fmt::Debug for QueueSink<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueSink")
            .field("topic", &self.topic.name())
            .finish_non_exhaustive()
    }
}
