//! The push side of a pipeline: a sink whose events a producer emits.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Sink;
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::{PollSendError, PollSender};

use super::FromChannel;
use crate::operators::OptionError;
use crate::operators::debug::debug_as_name;

/// Pushes events into a pipeline; made by [`channel`]. Clones push to the same
/// producer.
#[derive(Clone)]
pub struct EventSink<E>(PollSender<E>);

/// Nothing takes pushed events any more: the producer has ended or drains, or the
/// sink was closed.
#[derive(Clone, PartialEq, Eq, Error)]
#[error("the event was not taken: its producer has ended or drains, or the sink was closed")]
pub struct PushError<E>(
    /// The event that was not taken; `None` if the error came before there was one,
    /// from `poll_ready`.
    pub Option<E>,
);

/// Makes a producer and the [`Sink`] that its events are pushed into. The sink holds
/// up to `capacity` events that nobody has asked for yet.
///
/// Back-pressure reaches the sink: the producer takes events out of it only for
/// demand. Once it is full, `send` and `forward` wait. The producer completes when
/// all clones of the sink are closed or dropped and it has emitted all events. It is
/// the producer of [`from_channel`](super::from_channel), also when its pipeline
/// drains.
///
/// # Errors
///
/// A `capacity` of 0, or more than tokio's semaphores allow, fails the stage with
/// an [`OptionError`]. Pushing fails with [`PushError`] once the producer has ended.
///
/// ```
/// use futures::{SinkExt, StreamExt, stream};
/// use stage_runtime::operators::{channel, fold};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut sink, pushed) = channel(16);
/// let pushed = pushed.stage().spawn();
/// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&pushed).spawn();
///
/// sink.send(1).await?;
/// stream::iter([2, 3]).map(Ok).forward(sink).await?;
/// assert_eq!(sum.output().await?, 6);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn channel<E: Send + 'static>(capacity: usize) -> (EventSink<E>, FromChannel<E>) {
    let most = Semaphore::MAX_PERMITS;
    let refused = (!(1..=most).contains(&capacity)).then(|| OptionError {
        operator: "channel",
        option: "capacity",
        value: capacity.to_string(),
        range: "at least 1 and at most tokio's `Semaphore::MAX_PERMITS`",
        fix: "set it to the number of events that may wait to be asked for",
    });
    let (sender, receiver) = mpsc::channel(capacity.clamp(1, most));
    let sink = EventSink(PollSender::new(sender));
    (sink, FromChannel::new(receiver, refused))
}

impl<E: Send + 'static> EventSink<E> {
    /// Waits for room and pushes `event`. `SinkExt::send` does the same but drops the
    /// event when it fails.
    ///
    /// # Errors
    ///
    /// [`PushError`] with the event.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready drops the event and pushes nothing.
    pub async fn push(&self, event: E) -> Result<(), PushError<E>> {
        match self.0.get_ref() {
            Some(sender) => sender
                .send(event)
                .await
                .map_err(|error| PushError(Some(error.0))),
            None => Err(PushError(Some(event))),
        }
    }
}

impl<E: Send + 'static> Sink<E> for EventSink<E> {
    type Error = PushError<E>;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_reserve(cx).map_err(Into::into)
    }

    fn start_send(mut self: Pin<&mut Self>, event: E) -> Result<(), Self::Error> {
        self.0.send_item(event).map_err(Into::into)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.close();
        // A slot that was reserved and not used would keep the channel open.
        self.0.abort_send();
        Poll::Ready(Ok(()))
    }
}

impl<E> From<PollSendError<E>> for PushError<E> {
    fn from(error: PollSendError<E>) -> Self {
        Self(error.into_inner())
    }
}

debug_as_name!(EventSink<E>);
debug_as_name!(PushError<E>);
