//! One event out for each event in, by async closures that run side by side.

use std::fmt;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use futures::stream::{FuturesOrdered, FuturesUnordered};
use stage_core::{Batch, Emitter, Outcome, ProducerConsumer, StageResult};

use super::running::Running;
use crate::operators::OptionError;
use crate::operators::infallible::{Infallible, infallible};

/// Emits the results of futures that run side by side; made by [`map_concurrent`] and
/// [`try_map_concurrent`].
///
/// | option | default |
/// |---|---|
/// | [`unordered`](Self::unordered) | results keep the order of their events |
pub struct MapConcurrent<F, Fut: Future, I> {
    limit: usize,
    f: F,
    running: Running<Fut>,
    /// Events that are lost because a future failed: its own, if no batch counts it, and
    /// those whose futures were dropped with it.
    dropped: usize,
    events: PhantomData<fn(I)>,
}

/// A producer-consumer that awaits `f` with up to `limit` events at a time, and emits
/// the results in the order of the events. They run on the stage's task; to use several
/// threads, spawn tasks in `f`.
///
/// Results leave as soon as they are ready, with one exception: the results that become
/// ready while the events of one batch are being started leave together, when the last of
/// its events was started. Until then the stage takes no message and cannot be stopped. A
/// batch of up to `limit` events starts at once if nothing else runs. With
/// `max_demand(2 * limit)`, and `min_demand` at its default of half, batches are no longer
/// than that.
///
/// Events whose futures run count as held. A future that has begun is awaited even if no
/// consumer asks any more; up to `limit` results then wait in the buffer.
///
/// # Errors
///
/// A `limit` of 0 fails the stage with an [`OptionError`].
///
/// ```
/// use stage_runtime::operators::{fold, from_iter, map_concurrent};
/// use stage_runtime::prelude::*;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let pages = from_iter([3, 1, 2]).stage().spawn();
/// let sizes = map_concurrent(10, async |page: u64| {
///     tokio::time::sleep(Duration::from_millis(page)).await; // Fetch it.
///     page * 100
/// });
/// let sizes = sizes.stage().subscribe_to(pages.subscription().max_demand(20)).spawn();
/// let all = fold(Vec::new(), |all, size: u64| [all, vec![size]].concat());
/// let all = all.stage().subscribe_to(&sizes).spawn();
/// assert_eq!(all.output().await?, [300, 100, 200]);
/// # Ok(())
/// # }
/// ```
///
/// Source: `futures::StreamExt::buffered` and `buffer_unordered`.
pub fn map_concurrent<F, Fut, I, O>(
    limit: usize,
    f: F,
) -> MapConcurrent<impl FnMut(I) -> Infallible<Fut> + Send + 'static, Infallible<Fut>, I>
where
    F: FnMut(I) -> Fut + Send + 'static,
    Fut: Future<Output = O> + Send + 'static,
    O: Send + 'static,
{
    try_map_concurrent(limit, infallible(f))
}

/// The same as [`map_concurrent`] for an `f` that may fail.
///
/// # Errors
///
/// The first `Err`, in the order of the results, fails the stage, and so does a panic.
/// It loses the event that failed, and up to `limit - 1` others whose futures were
/// running: they are dropped. Results that were taken before are emitted; events for
/// which no future was made are handed back, or handled after a restart.
///
/// A [dead-letter hook](crate::builder::ConsumerBuilder::dead_letters) and
/// [`retain_taken`](crate::builder::ConsumerBuilder::retain_taken) see the event that
/// was taken last and no other.
pub fn try_map_concurrent<F, Fut, I, O>(limit: usize, f: F) -> MapConcurrent<F, Fut, I>
where
    F: FnMut(I) -> Fut + Send + 'static,
    Fut: Future<Output = StageResult<O>> + Send + 'static,
{
    MapConcurrent {
        limit,
        f,
        running: Running::InOrder(FuturesOrdered::new()),
        dropped: 0,
        events: PhantomData,
    }
}

impl<F, Fut: Future, I> MapConcurrent<F, Fut, I> {
    /// Emits results in the order in which their futures complete, so that a slow one
    /// holds up no other.
    #[must_use]
    pub fn unordered(mut self) -> Self {
        self.running = Running::AsCompleted(FuturesUnordered::new());
        self
    }
}

impl<F, Fut, I, O> MapConcurrent<F, Fut, I>
where
    Fut: Future<Output = StageResult<O>>,
{
    /// Emits the results that are ready. The stage is woken when there are more.
    fn emit_ready(&mut self, out: &mut Emitter<'_, O>) -> StageResult {
        let waker = out.waker().clone();
        let mut cx = Context::from_waker(&waker);
        // For the event whose future fails or panics here.
        self.dropped += 1;
        while let Poll::Ready(Some(result)) = self.running.poll_next(&mut cx) {
            out.push(result?);
        }
        self.dropped -= 1;
        Ok(())
    }
}

impl<F, Fut, I, O> ProducerConsumer for MapConcurrent<F, Fut, I>
where
    F: FnMut(I) -> Fut + Send + 'static,
    Fut: Future<Output = StageResult<O>> + Send + 'static,
    I: Send + 'static,
    O: Send + 'static,
{
    type In = I;
    type Out = O;

    async fn handle_events(
        &mut self,
        events: &mut Batch<I>,
        out: &mut Emitter<'_, O>,
    ) -> StageResult {
        let mut has_taken = false;
        loop {
            while self.running.len() < self.limit && !events.is_empty() {
                let event = events.pop_front();
                self.running.extend(event.map(&mut self.f));
                has_taken = true;
            }
            if events.is_empty() {
                // Asking once more says that the batch is done with its last event:
                // `held` counts it from here.
                events.pop_front();
                break;
            }
            // If this fails or panics, the batch counts one event as lost, provided
            // that one was taken from it.
            self.dropped += usize::from(!has_taken);
            match self.running.next().await {
                Some(result) => out.push(result?),
                None => break,
            }
            self.dropped -= usize::from(!has_taken);
        }
        self.emit_ready(out)
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, O>) -> StageResult {
        self.emit_ready(out)
    }

    fn may_complete(&self) -> bool {
        self.running.len() == 0
    }

    fn validate(&self) -> StageResult {
        let fix = "set it to the number of futures to run at a time";
        Ok(OptionError::check_not_zero(
            "map_concurrent",
            "limit",
            self.limit,
            fix,
        )?)
    }

    fn held(&self) -> usize {
        self.running.len() + self.dropped
    }

    async fn terminate(&mut self, _outcome: &Outcome) {
        // Not kept while the stage waits to be restarted.
        self.dropped += self.running.len();
        self.running.clear();
    }
}

impl<F, Fut: Future, I> fmt::Debug for MapConcurrent<F, Fut, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MapConcurrent")
    }
}
