//! [`QueueSource`]: a topic as the source of a pipeline.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::BoxFuture;
use stage_pipeline::{
    AckError, Acknowledger, Capabilities, Guarantee, Leases, Metadata, Next, Settled, Source,
    TraceContext,
};
use stages::StageResult;

use crate::writer::Writer;
use crate::{LeaseOptions, Leased, QueueError, Topic, queue, topic};

/// How often a source that ends when its topic is empty looks whether it is.
const LOOK: Duration = Duration::from_millis(50);

/// Leases the messages of a [`Topic`] for a pipeline; from [`Topic::source`].
///
/// It promises [`Guarantee::Durable`], keeps rejected messages as
/// [dead letters](Topic::dead_letters), and keeps the order of keys if the topic is
/// [`ordered`](crate::TopicOptions::ordered). The queue extends its leases, so it needs no
/// heartbeat. The headers `traceparent` and `tracestate` become the trace context of a
/// message.
///
/// Verdicts are awaited: a pipeline knows of an ack when it is on the disk. Messages that are
/// dropped are settled by the writer thread, from any thread and without a runtime.
pub struct QueueSource {
    topic: Topic,
    options: LeaseOptions,
    ends_when_empty: bool,
    leased: Vec<Leased>,
}

impl QueueSource {
    pub(crate) const fn new(topic: Topic) -> Self {
        Self {
            topic,
            options: LeaseOptions::new(),
            ends_when_empty: false,
            leased: Vec::new(),
        }
    }

    /// Sets the options of its leases.
    #[must_use]
    pub const fn options(mut self, options: LeaseOptions) -> Self {
        self.options = options;
        self
    }

    /// Ends the source once nothing is ready, delayed or leased in the topic, here and in
    /// other processes.
    #[must_use]
    pub const fn end_when_empty(mut self) -> Self {
        self.ends_when_empty = true;
        self
    }
}

impl Source for QueueSource {
    type Data = Vec<u8>;

    fn capabilities(&self) -> Capabilities {
        let capabilities = Capabilities::new(Guarantee::Durable).with_dead_letters();
        if self.topic.is_ordered() {
            capabilities.with_key_order()
        } else {
            capabilities
        }
    }

    fn acknowledger(&self) -> Arc<dyn Acknowledger> {
        let origin = self.topic.name().to_owned();
        Arc::new(QueueAcknowledger {
            writer: self.topic.writer().clone(),
            origin,
        })
    }

    async fn lease(
        &mut self,
        demand: usize,
        leases: &mut Leases<'_, Vec<u8>>,
    ) -> StageResult<Next> {
        // First, so that no message is missed that comes while this leases.
        self.topic.wake_when_ready(leases.waker());
        self.topic
            .lease(demand, self.options, &mut self.leased)
            .await?;
        let none = self.leased.is_empty();
        for mut one in self.leased.drain(..) {
            let data = std::mem::take(&mut one.payload);
            let metadata = metadata(one.deliveries, one.enqueued_at, one.key, one.headers);
            leases.push(one.token, data, metadata);
        }
        if !self.ends_when_empty {
            return Ok(Next::Woken);
        }
        // Nobody wakes a source because the last message was settled.
        if none && self.topic.held().await?.messages == 0 {
            return Ok(Next::End);
        }
        Ok(Next::After(LOOK))
    }
}

/// What a pipeline gets to know of a message. The headers of a trace become its context.
pub(crate) fn metadata(
    deliveries: u32,
    enqueued_at: SystemTime,
    key: Option<Arc<str>>,
    headers: Vec<(String, Vec<u8>)>,
) -> Metadata {
    let mut metadata = Metadata::new()
        .with_deliveries(deliveries)
        .with_enqueued_at(enqueued_at);
    if let Some(key) = key {
        metadata = metadata.with_key(key);
    }
    let mut trace: Option<TraceContext> = None;
    let mut state = String::new();
    for (name, value) in headers {
        match (name.as_str(), std::str::from_utf8(&value)) {
            ("traceparent", Ok(parent)) => trace = Some(TraceContext::new(parent)),
            ("tracestate", Ok(text)) => text.clone_into(&mut state),
            _ => {}
        }
        metadata = metadata.with_header(name, value);
    }
    if let Some(mut trace) = trace {
        trace.tracestate = state;
        metadata = metadata.with_trace(trace);
    }
    metadata
}

impl fmt::Debug for QueueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueSource")
            .field("topic", &self.topic.name())
            .finish_non_exhaustive()
    }
}

/// Settles messages of a queue.
struct QueueAcknowledger {
    writer: Writer,
    origin: String,
}

impl Acknowledger for QueueAcknowledger {
    fn settle<'a>(&'a self, settled: &'a mut [Settled]) -> BoxFuture<'a, Result<(), AckError>> {
        async move {
            let count = settled.len();
            let result = queue::settle(&self.writer, settled).await;
            result.map_err(|error: QueueError| AckError::new(self.origin.clone(), count, error))
        }
        .boxed()
    }

    fn abandon(&self, settled: Settled) {
        topic::post(&self.writer, vec![settled]);
    }
}
