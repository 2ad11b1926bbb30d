//! [`TraceContext`]: carried from the sender of a message to whoever goes on with it.

/// The W3C trace context of a message, as two headers. It is carried and not read.
///
/// Source: <https://www.w3.org/TR/trace-context/>.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The header `traceparent`.
    pub traceparent: String,
    /// The header `tracestate`; often empty.
    pub tracestate: String,
}

impl TraceContext {
    /// Returns a context with this `traceparent` and no `tracestate`.
    pub fn new(traceparent: impl Into<String>) -> Self {
        Self {
            traceparent: traceparent.into(),
            tracestate: String::new(),
        }
    }
}
