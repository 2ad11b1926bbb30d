//! A producer out of a stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream;
use stage_core::{Emitter, Producer, StageResult};

/// Emits what a stream yields and completes when it ends; made by
/// [`from_stream`].
pub struct FromStream<S> {
    events: Pin<Box<S>>,
}

/// A producer that emits what `events` yields, as many as are asked for, and
/// completes when the stream ends. It polls the stream only while there is
/// demand, and stays open for subscriptions and messages while the stream has
/// nothing.
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

/// A producer that emits one event per call of `next`, which gets the state
/// and returns the event with the next state, or `None` to complete.
///
/// ```
/// use stage_runtime::operators::{fold, unfold};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let powers = unfold(1u32, async |n| (n < 100).then_some((n, n * 2))).stage().spawn();
/// let sum = fold(0, |sum, n: u32| sum + n).stage().subscribe_to(&powers).spawn();
/// assert_eq!(sum.output().await?, 127);
/// # Ok(())
/// # }
/// ```
pub fn unfold<S, E, F, Fut>(
    state: S,
    next: F,
) -> FromStream<impl Stream<Item = E> + Send + use<S, E, F, Fut>>
where
    S: Send,
    F: FnMut(S) -> Fut + Send,
    Fut: Future<Output = Option<(E, S)>> + Send,
{
    from_stream(stream::unfold(state, next))
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
        let waker = out.waker().clone();
        let mut cx = Context::from_waker(&waker);
        for _ in 0..demand {
            match self.events.as_mut().poll_next(&mut cx) {
                Poll::Ready(Some(event)) => out.push(event),
                Poll::Ready(None) => {
                    out.complete();
                    break;
                }
                // The waker has this handler called again.
                Poll::Pending => break,
            }
        }
        Ok(())
    }
}

impl<S> fmt::Debug for FromStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromStream")
    }
}
