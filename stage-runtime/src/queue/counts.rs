//! [`QueueCounts`]: what a queue holds, and what became of its events.

/// What a queue holds, and what became of the events that were pushed into it.
/// Returned by [`Inlet::counts`](super::Inlet::counts).
///
/// At every moment `pushed == delivered + shed + len`. Events that came back to the
/// caller, as [`Pushed::Full`](super::Pushed::Full),
/// [`Pushed::Gone`](super::Pushed::Gone) or
/// [`Pushed::NoSubscriber`](super::Pushed::NoSubscriber), are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct QueueCounts {
    /// Events in the queue.
    pub len: usize,
    /// Bytes in the queue, by the weigher of a bound in bytes, where each event counts as
    /// at least 1; 0 with any other bound.
    pub bytes: usize,
    /// Events that were pushed: stored, or shed at once.
    pub pushed: u64,
    /// Events that the source has taken, to emit them.
    pub delivered: u64,
    /// Events that the queue dropped, by its policy or at its end.
    pub shed: u64,
    /// Calls of `send`, and sinks, that wait for room.
    pub waiting: usize,
}
