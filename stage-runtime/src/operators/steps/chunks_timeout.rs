//! Events in vectors, limited in number and time.

use std::fmt;
use std::time::Duration;

use stage_core::{Batch, Emitter, ProducerConsumer, StageResult};

use crate::operators::OptionError;

/// Emits events in vectors; made by [`chunks_timeout`].
pub struct ChunksTimeout<E> {
    max: usize,
    after: Duration,
    open: Vec<E>,
}

/// A producer-consumer that emits its events in vectors, the *chunks*: of `max` events,
/// or of fewer if `after` has passed since the first of them was handled. It emits the
/// last chunk when its producers have completed; no chunk is empty.
///
/// Up to `max - 1` events wait in the open chunk, in addition to those that its
/// subscriptions ask for. Its statistics show them as held. A stage that fails or is
/// stopped loses its state: events in the open chunk then count as lost. A chunk is one
/// event for the consumers, so their `max_demand` counts chunks.
///
/// # Errors
///
/// A `max` of 0 fails the stage with an [`OptionError`].
///
/// ```
/// use std::time::Duration;
/// use stage_runtime::operators::{chunks_timeout, fold, from_iter};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let numbers = from_iter(0..10).stage().spawn();
/// let chunks = chunks_timeout(4, Duration::from_secs(1))
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
/// Source: `tokio_stream::StreamExt::chunks_timeout`.
#[must_use]
pub fn chunks_timeout<E: Send + 'static>(max: usize, after: Duration) -> ChunksTimeout<E> {
    ChunksTimeout {
        max,
        after,
        open: Vec::new(),
    }
}

impl<E> ChunksTimeout<E> {
    fn emit(&mut self, out: &mut Emitter<'_, Vec<E>>) {
        if !self.open.is_empty() {
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
        let mut opens = self.open.is_empty();
        for event in events {
            self.open.push(event);
            if self.open.len() == self.max {
                self.emit(out);
                opens = true;
            }
        }
        // Chunks that were filled within this batch need no timer.
        if self.open.is_empty() {
            out.cancel_wake();
        } else if opens {
            out.wake_after(self.after);
        }
        Ok(())
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, Vec<E>>) -> StageResult {
        self.emit(out);
        Ok(())
    }

    async fn handle_complete(&mut self, out: &mut Emitter<'_, Vec<E>>) -> StageResult {
        self.emit(out);
        Ok(())
    }

    fn validate(&self) -> StageResult {
        let fix = "set it to the number of events that fill a chunk";
        Ok(OptionError::check_not_zero(
            "chunks_timeout",
            "max",
            self.max,
            fix,
        )?)
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
