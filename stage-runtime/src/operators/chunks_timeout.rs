//! A producer-consumer that puts events together, by number and by time.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use stage_core::{Batch, Emitter, Info, ProducerConsumer, StageResult};

/// Puts events together into vectors; made by [`chunks_timeout`].
pub struct ChunksTimeout<E> {
    max: NonZeroUsize,
    after: Duration,
    open: Vec<E>,
    /// The number of the chunk that is open.
    chunk: u64,
    /// Its timer runs.
    timed: bool,
}

/// A chunk's time is up, unless it has been emitted.
struct Due {
    chunk: u64,
}

/// A producer-consumer that emits its events in vectors of `max`, or of fewer
/// when `after` has passed since the first of them was handled. What is left at
/// the end is emitted then.
///
/// Events wait in here, beyond what its subscriptions ask for: `max` of them at
/// the most. One chunk is one event for the consumers, so set their
/// `max_demand` to a number of chunks.
///
/// The stage owns the events that wait, which its statistics show as held. A stage
/// that fails or is stopped loses its state: what it has not emitted then counts as
/// lost.
///
/// ```
/// use std::num::NonZeroUsize;
/// use std::time::Duration;
/// use stage_runtime::operators::{chunks_timeout, fold, from_iter};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let four = NonZeroUsize::new(4).ok_or("not 0")?;
/// let numbers = from_iter(0..10).stage().spawn();
/// let chunks = chunks_timeout(four, Duration::from_secs(1))
///     .stage()
///     .subscribe_to(&numbers)
///     .spawn();
/// let sizes = fold(Vec::new(), |mut sizes, chunk: Vec<i32>| {
///     sizes.push(chunk.len());
///     sizes
/// });
/// let sizes = sizes.stage().subscribe_to(&chunks).spawn();
/// assert_eq!(sizes.output().await?, [4, 4, 2]);
/// # Ok(())
/// # }
/// ```
///
/// Source: `chunks_timeout` of tokio-stream. There the time starts again with
/// every chunk, whether or not it has an event.
#[must_use]
pub fn chunks_timeout<E: Send + 'static>(max: NonZeroUsize, after: Duration) -> ChunksTimeout<E> {
    ChunksTimeout {
        max,
        after,
        open: Vec::new(),
        chunk: 0,
        timed: false,
    }
}

impl<E> ChunksTimeout<E> {
    fn emit(&mut self, out: &mut Emitter<'_, Vec<E>>) {
        if !self.open.is_empty() {
            self.chunk += 1;
            self.timed = false;
            out.push(std::mem::take(&mut self.open));
        }
    }
}

impl<E: Send + 'static> ProducerConsumer for ChunksTimeout<E> {
    type In = E;
    type Out = Vec<E>;

    async fn handle_events(
        &mut self,
        events: &mut Batch<E>,
        out: &mut Emitter<'_, Vec<E>>,
    ) -> StageResult {
        for event in events {
            self.open.push(event);
            if self.open.len() == self.max.get() {
                self.emit(out);
            }
        }
        // Chunks that came and went in this batch need no timer.
        if !self.open.is_empty() && !std::mem::replace(&mut self.timed, true) {
            let chunk = self.chunk;
            out.info_after(self.after, Due { chunk });
        }
        Ok(())
    }

    async fn handle_info(&mut self, info: Info, out: &mut Emitter<'_, Vec<E>>) -> StageResult {
        // A timer that lost its race is for a chunk that is gone.
        if info
            .downcast_ref()
            .is_some_and(|due: &Due| due.chunk == self.chunk)
        {
            self.emit(out);
        }
        Ok(())
    }

    async fn handle_complete(&mut self, out: &mut Emitter<'_, Vec<E>>) -> StageResult {
        self.emit(out);
        Ok(())
    }

    fn held(&self) -> usize {
        self.open.len()
    }
}

impl<E> fmt::Debug for ChunksTimeout<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunksTimeout")
            .field("max", &self.max)
            .field("after", &self.after)
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}
