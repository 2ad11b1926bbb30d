//! Events that are sent into a sink.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;

use futures::{Sink, SinkExt};
use stage_core::{Batch, BoxError, Consumer, Context, Outcome, StageResult};

use crate::operators::debug::debug_as_name;

/// Sends every event into a sink; made by [`forward`].
pub struct Forward<S, E> {
    sink: Pin<Box<S>>,
    events: PhantomData<fn(E)>,
}

/// A consumer that sends every event into `sink`, flushes it after each batch, and
/// closes it when the stage completes.
///
/// Back-pressure reaches the producers: a batch counts as handled when the sink has
/// been flushed, and the stage asks for more only then. A stage that fails or is
/// cancelled drops the sink without closing it.
///
/// # Errors
///
/// An error of the sink fails the stage. If it does not accept an event, that event
/// is lost. If the flush fails, the whole batch counts as lost, since the sink may
/// have written none of it. [`retain_taken`] keeps both. An error of closing the sink
/// is traced, since the stage has completed by then.
///
/// [`retain_taken`]: crate::builder::ConsumerBuilder::retain_taken
///
/// ```
/// use futures::channel::mpsc;
/// use futures::StreamExt;
/// use stage_runtime::operators::{forward, from_iter};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let (sink, stream) = mpsc::channel::<u64>(4);
/// let numbers = from_iter(0..5).stage().spawn();
/// let forwarded = forward(sink).stage().subscribe_to(&numbers).spawn();
/// assert_eq!(stream.collect::<Vec<_>>().await, [0, 1, 2, 3, 4]);
/// forwarded.join().await
/// # }
/// ```
///
/// Source: `futures::StreamExt::forward`.
pub fn forward<S, E>(sink: S) -> Forward<S, E>
where
    S: Sink<E, Error: Into<BoxError> + Send> + Send + 'static,
{
    Forward {
        sink: Box::pin(sink),
        events: PhantomData,
    }
}

impl<S, E> Consumer for Forward<S, E>
where
    S: Sink<E, Error: Into<BoxError> + Send> + Send + 'static,
    E: Send + 'static,
{
    type Event = E;

    async fn handle_events(&mut self, events: &mut Batch<E>, _cx: &mut Context<'_>) -> StageResult {
        let mut sink = self.sink.as_mut();
        let mut events = events.drain();
        // Ready first: a sink that is not leaves the event in its batch.
        while !events.as_slice().is_empty() {
            poll_fn(|cx| sink.as_mut().poll_ready(cx))
                .await
                .map_err(Into::into)?;
            let Some(event) = events.next() else { break };
            sink.as_mut().start_send(event).map_err(Into::into)?;
        }
        // Having seen the end, the handler has the whole batch in hand until the flush.
        let _end = events.next();
        drop(events);
        sink.flush().await.map_err(Into::into)
    }

    async fn terminate(&mut self, outcome: &Outcome) {
        if matches!(outcome, Outcome::Completed)
            && let Err(error) = self.sink.close().await.map_err(Into::into)
        {
            let error: BoxError = error;
            tracing::error!(%error, "the sink was not closed");
        }
    }
}

debug_as_name!(Forward<S, E>);
