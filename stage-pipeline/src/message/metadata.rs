//! [`Metadata`]: what an origin says about a message.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::TraceContext;

/// What an origin says about a message, beside its data.
///
/// | | default |
/// |---|---|
/// | [`deliveries`](Metadata::deliveries) | 1 |
/// | [`key`](Metadata::key) | none |
/// | [`enqueued_at`](Metadata::enqueued_at), [`trace`](Metadata::trace), [`extension`](Metadata::extension) | none |
/// | [`headers`](Metadata::headers) | empty |
///
/// ```
/// use stage_pipeline::Metadata;
///
/// let metadata = Metadata::new().with_key("customer 7").with_header("type", "order");
/// assert_eq!(metadata.key(), Some("customer 7"));
/// assert_eq!(metadata.header("type"), Some(&b"order"[..]));
/// assert_eq!(metadata.deliveries(), 1);
/// ```
#[derive(Clone)]
pub struct Metadata {
    deliveries: u32,
    /// In one pointer, because a message is moved several times on its way.
    more: Option<Box<More>>,
}

#[derive(Clone, Default)]
struct More {
    key: Option<Arc<str>>,
    enqueued_at: Option<SystemTime>,
    headers: Vec<(String, Vec<u8>)>,
    trace: Option<TraceContext>,
    extension: Option<Arc<dyn Any + Send + Sync>>,
}

impl Metadata {
    /// Returns the metadata of a first delivery, with nothing else known.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            deliveries: 1,
            more: None,
        }
    }

    /// Sets the key by which the origin keeps order.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.more().key = Some(key.into());
        self
    }

    /// Sets the number of deliveries of the message, this one included.
    #[must_use]
    pub const fn with_deliveries(mut self, deliveries: u32) -> Self {
        self.deliveries = deliveries;
        self
    }

    /// Sets the time at which the message came to its origin.
    #[must_use]
    pub fn with_enqueued_at(mut self, time: SystemTime) -> Self {
        self.more().enqueued_at = Some(time);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.more().headers.push((name.into(), value.into()));
        self
    }

    /// Sets the trace context that the message came with.
    #[must_use]
    pub fn with_trace(mut self, trace: TraceContext) -> Self {
        self.more().trace = Some(trace);
        self
    }

    /// Sets a value of the origin's own, such as a delivery of its client library.
    #[must_use]
    pub fn with_extension<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.more().extension = Some(Arc::new(value));
        self
    }

    /// Returns the key by which the origin keeps order.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.more.as_ref()?.key.as_deref()
    }

    /// Returns the key, shared.
    #[must_use]
    pub fn shared_key(&self) -> Option<Arc<str>> {
        self.more.as_ref()?.key.clone()
    }

    /// Returns the number of deliveries of the message, this one included.
    #[must_use]
    pub const fn deliveries(&self) -> u32 {
        self.deliveries
    }

    /// Returns the time at which the message came to its origin.
    #[must_use]
    pub fn enqueued_at(&self) -> Option<SystemTime> {
        self.more.as_ref()?.enqueued_at
    }

    /// Returns all headers, in the order of the origin.
    #[must_use]
    pub fn headers(&self) -> &[(String, Vec<u8>)] {
        self.more.as_ref().map_or(&[], |more| &more.headers)
    }

    /// Returns the first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self.headers().iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    /// Returns the trace context that the message came with.
    #[must_use]
    pub fn trace(&self) -> Option<&TraceContext> {
        self.more.as_ref()?.trace.as_ref()
    }

    /// Returns the value of the origin's own, if it is of type `T`.
    #[must_use]
    pub fn extension<T: Any>(&self) -> Option<&T> {
        self.more.as_ref()?.extension.as_ref()?.downcast_ref()
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Metadata");
        debug
            .field("key", &self.key())
            .field("deliveries", &self.deliveries);
        if let Some(more) = &self.more {
            debug
                .field("enqueued_at", &more.enqueued_at)
                .field("headers", &more.headers.len())
                .field("trace", &more.trace);
        }
        debug.finish_non_exhaustive()
    }
}
