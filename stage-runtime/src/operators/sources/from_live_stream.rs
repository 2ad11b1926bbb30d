//! A producer made of a stream that has to be polled all the time.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{Sink, Stream};
use stage_core::{Bound, Emitter, Outcome, Producer, StageResult};

use crate::queue::{FromQueue, QueueOptions, QueueSink, WhenFull, named_queue};
use crate::shed::Shed;

/// Items that are read in a row before the stage does other things.
const ITEMS_PER_TURN: usize = 256;

/// Emits the items of a stream that is polled whatever the demand; made by
/// [`from_live_stream`].
pub struct FromLiveStream<S: Stream> {
    /// `None` once the stream has ended.
    live: Option<Live<S>>,
    source: FromQueue<S::Item>,
    bound: Bound<S::Item>,
    policy: WhenFull,
}

/// The stream, and the way into the queue.
struct Live<S: Stream> {
    stream: Pin<Box<S>>,
    sink: QueueSink<S::Item>,
}

/// A producer that polls a stream always, whether or not there is demand or a consumer,
/// and queues its items until they are asked for. It completes when the stream has ended
/// and its items have been emitted.
///
/// For a stream that does its work when it is polled, such as a socket that answers
/// heartbeats: [`from_stream`](super::from_stream()) polls only for demand, so slow
/// consumers would let the connection time out.
///
/// The queue is that of [`queue`](crate::queue()). When `bound` is reached, `policy`
/// decides:
///
/// | policy | the stream | the items |
/// |---|---|---|
/// | [`WhenFull::DropOldest`], [`WhenFull::DropNewest`] | is polled on | some are shed |
/// | [`WhenFull::Detach`] | is dropped | are shed; the stage ends as cancelled |
/// | [`WhenFull::Wait`] | is **not polled** until there is room | wait in the stream |
///
/// With `Wait` and a bound in bytes, the last item may exceed the limit.
///
/// When the pipeline drains, the stream is dropped, and what is queued is emitted.
/// Events that are left when the stage ends are shed, and count as discarded.
///
/// # Errors
///
/// A bound of 0 fails the stage with an [`OptionError`](crate::operators::OptionError) when
/// it is spawned.
///
/// ```
/// use futures::stream;
/// use stage_core::Bound;
/// use stage_runtime::operators::{fold, from_live_stream};
/// use stage_runtime::prelude::*;
/// use stage_runtime::queue::WhenFull;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let ticks = stream::iter(0..100_u64); // Such as the messages of a web socket.
/// let newest = from_live_stream(ticks, Bound::Events(10), WhenFull::DropOldest);
/// let newest = newest.stage().spawn();
/// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&newest).spawn();
/// sum.output().await?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn from_live_stream<S>(stream: S, bound: Bound<S::Item>, policy: WhenFull) -> FromLiveStream<S>
where
    S: Stream<Item: Send + 'static> + Send + 'static,
{
    FromLiveStream::new(Box::pin(stream), bound, policy, |options| options)
}

impl<S: Stream> FromLiveStream<S> {
    fn new(
        stream: Pin<Box<S>>,
        bound: Bound<S::Item>,
        policy: WhenFull,
        with: impl FnOnce(QueueOptions<S::Item>) -> QueueOptions<S::Item>,
    ) -> Self {
        let options = QueueOptions::new(bound)
            .when_full(policy)
            .name("from_live_stream");
        let (inlet, source) = named_queue("from_live_stream", with(options));
        Self {
            live: Some(Live {
                stream,
                sink: inlet.into_sink(),
            }),
            source,
            bound,
            policy,
        }
    }

    /// Sets a hook that gets the items that are shed, and why; see
    /// [`QueueOptions::shed`].
    #[must_use]
    pub fn shed(self, hook: impl Fn(Shed<S::Item>) + Send + Sync + 'static) -> Self {
        match self.live {
            Some(Live { stream, .. }) => Self::new(stream, self.bound, self.policy, |options| {
                options.shed(hook)
            }),
            None => self,
        }
    }

    /// Reads what the stream has into the queue. The stream keeps the waker, and so does
    /// the queue if it has no room.
    fn read(&mut self, out: &Emitter<'_, S::Item>) {
        let mut cx = Context::from_waker(out.waker());
        for _ in 0..ITEMS_PER_TURN {
            let Some(Live { stream, sink }) = &mut self.live else {
                return;
            };
            let mut sink = Pin::new(sink);
            match sink.as_mut().poll_ready(&mut cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => {
                    self.live = None;
                    return;
                }
                Poll::Pending => return,
            }
            match stream.as_mut().poll_next(&mut cx) {
                Poll::Ready(Some(item)) => {
                    if sink.start_send(item).is_err() {
                        self.live = None;
                    }
                }
                Poll::Ready(None) => self.live = None,
                Poll::Pending => return,
            }
        }
        // There may be more, which no waker will be woken for.
        out.waker().wake_by_ref();
    }
}

impl<S> Producer for FromLiveStream<S>
where
    S: Stream<Item: Send + 'static> + Send + 'static,
{
    type Event = S::Item;

    async fn handle_start(&mut self, out: &mut Emitter<'_, S::Item>) -> StageResult {
        self.read(out);
        self.source.handle_start(out).await
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, S::Item>) -> StageResult {
        self.read(out);
        self.source.handle_wake(out).await
    }

    async fn handle_demand(
        &mut self,
        demand: usize,
        out: &mut Emitter<'_, S::Item>,
    ) -> StageResult {
        self.source.handle_demand(demand, out).await
    }

    async fn handle_drain(&mut self, out: &mut Emitter<'_, S::Item>) -> StageResult {
        self.live = None;
        self.source.handle_drain(out).await
    }

    fn validate(&self) -> StageResult {
        self.source.validate()
    }

    fn held(&self) -> usize {
        self.source.held()
    }

    async fn terminate(&mut self, outcome: &Outcome) {
        self.live = None;
        self.source.terminate(outcome).await;
    }
}

impl<S: Stream> fmt::Debug for FromLiveStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromLiveStream")
    }
}
