//! [`QueueSink`]: an inlet as a `futures::Sink`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Sink;

use super::reservation::Reservation;
use super::{Inlet, PushError};
use crate::operators::debug_as_name;

/// An [`Inlet`] as a [`Sink`]; made by [`Inlet::into_sink`].
///
/// With [`WhenFull::Wait`](super::WhenFull::Wait) it waits for room, in turn with the
/// calls of `send`; with any other policy it is always ready. Clones push into the same
/// queue. Closing or dropping a sink drops its inlet, and the last inlet finishes the
/// queue.
///
/// A sink reserves room before it knows the event. In a queue with a bound in bytes it
/// therefore waits until there is room for 1 byte, and the event may exceed the limit:
/// by one event for each sink at the most.
///
/// ```
/// use futures::{StreamExt, stream};
/// use stage_core::Bound;
/// use stage_runtime::operators::fold;
/// use stage_runtime::prelude::*;
/// use stage_runtime::queue::queue;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (inlet, pushed) = queue(Bound::Events(16));
/// let pushed = pushed.stage().spawn();
/// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&pushed).spawn();
///
/// stream::iter(1..=100).map(Ok).forward(inlet.into_sink()).await?;
/// assert_eq!(sum.output().await?, 5050);
/// # Ok(())
/// # }
/// ```
pub struct QueueSink<E> {
    /// `None` once it is closed. Before `inlet`, to be dropped before it.
    room: Option<Reservation<E>>,
    inlet: Option<Inlet<E>>,
}

/// A sink reserves room before it knows the weight of the event.
const UNKNOWN_WEIGHT: usize = 1;

impl<E> QueueSink<E> {
    pub(super) fn new(inlet: Inlet<E>) -> Self {
        let room = Reservation::new(Arc::clone(inlet.shared()), UNKNOWN_WEIGHT);
        Self {
            room: Some(room),
            inlet: Some(inlet),
        }
    }
}

impl<E> Sink<E> for QueueSink<E> {
    type Error = PushError<E>;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match &mut self.room {
            Some(room) => room.poll_ready(cx),
            None => Poll::Ready(Err(PushError(None))),
        }
    }

    fn start_send(mut self: Pin<&mut Self>, event: E) -> Result<(), Self::Error> {
        match &mut self.room {
            Some(room) => room.store(event),
            None => Err(PushError(Some(event))),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // The room first: it may be what others wait for.
        self.room = None;
        self.inlet = None;
        Poll::Ready(Ok(()))
    }
}

/// A clone waits for room of its own.
impl<E> Clone for QueueSink<E> {
    fn clone(&self) -> Self {
        match &self.inlet {
            Some(inlet) => Self::new(inlet.clone()),
            None => Self {
                room: None,
                inlet: None,
            },
        }
    }
}

debug_as_name!(QueueSink<E>);
