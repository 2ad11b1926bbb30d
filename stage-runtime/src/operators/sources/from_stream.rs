//! A producer made of a stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use stage_core::{Emitter, Producer, StageResult};

use crate::operators::debug::debug_as_name;

/// Emits the items of a stream; made by [`from_stream`] and [`unfold`](super::unfold).
pub struct FromStream<S> {
    events: Pin<Box<S>>,
}

/// A producer that emits the items of `events` and completes when the stream
/// ends. It polls the stream only for events that were asked for. While the
/// stream has none, the stage takes subscriptions and messages.
///
/// ```
/// use futures::stream;
/// use stage_runtime::operators::{fold, from_stream};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let words = from_stream(stream::iter(["a", "b"])).stage().spawn();
/// let all = fold(String::new(), |all, word: &str| all + word)
///     .stage()
///     .subscribe_to(&words)
///     .spawn();
/// assert_eq!(all.output().await?, "ab");
/// # Ok(())
/// # }
/// ```
pub fn from_stream<S: Stream>(events: S) -> FromStream<S> {
    FromStream {
        events: Box::pin(events),
    }
}

impl<S> Producer for FromStream<S>
where
    S: Stream<Item: Send + 'static> + Send + 'static,
{
    type Event = S::Item;

    async fn handle_demand(
        &mut self,
        demand: usize,
        out: &mut Emitter<'_, S::Item>,
    ) -> StageResult {
        let (emitted, context) = out.parts();
        let mut cx = Context::from_waker(context.waker());
        for _ in 0..demand {
            match self.events.as_mut().poll_next(&mut cx) {
                Poll::Ready(Some(event)) => emitted.push(event),
                Poll::Ready(None) => {
                    context.complete();
                    break;
                }
                // The waker has this handler called again.
                Poll::Pending => break,
            }
        }
        Ok(())
    }
}

debug_as_name!(FromStream<S>);
