//! What became of an event that was pushed.

use stage_core::Batch;
use thiserror::Error;

use crate::operators::debug_as_name;

/// What became of an event that was pushed into a queue.
#[derive(Debug)]
#[must_use = "`Full` and `Gone` give the event back, which is dropped here"]
#[non_exhaustive]
pub enum Pushed<E> {
    /// It is in the queue, and nothing was shed for it.
    Stored,
    /// The queue was full, and these events were shed: the event itself with
    /// [`WhenFull::DropNewest`](super::WhenFull::DropNewest); with
    /// [`WhenFull::DropOldest`](super::WhenFull::DropOldest) older ones, oldest first,
    /// and the event is in the queue. Empty if the shed hook of the queue took them.
    Shed(Batch<E>),
    /// No consumer is subscribed, and the queue keeps nothing
    /// [then](super::QueueOptions::while_subscribed). Not counted.
    NoSubscriber(E),
    /// The queue is full and its policy is to wait, or others wait already.
    Full(E),
    /// The queue takes nothing any more: it was finished or detached, or its source
    /// has ended or drains.
    Gone(E),
}

/// A queue takes nothing any more: it was finished or detached, its source has ended
/// or drains, or the sink was closed.
#[derive(Clone, PartialEq, Eq, Error)]
#[error("the event was not taken: its queue was closed, or the source has ended or drains")]
pub struct PushError<E>(
    /// The event that was not taken; `None` if the error came before there was one,
    /// from `poll_ready` of a [`QueueSink`](super::QueueSink).
    pub Option<E>,
);

debug_as_name!(PushError<E>);
