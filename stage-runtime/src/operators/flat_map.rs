//! A producer-consumer out of a closure: any number of events out for each event in.

use std::fmt;
use std::marker::PhantomData;

use stage_core::{Batch, Emitter, ProducerConsumer, StageResult};

/// Emits any number of events for every event; made by [`flat_map`].
pub struct FlatMap<F, I, O> {
    f: F,
    events: PhantomData<fn(I) -> O>,
}

/// A producer-consumer that emits everything in what `f` makes of an event.
///
/// Whatever one batch makes is emitted before the next batch is handled, so a
/// function that makes very much of one event wants a small `max_demand`.
///
/// ```
/// use stage_runtime::operators::{flat_map, fold, from_iter};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let lines = from_iter(["a b", "c"]).stage().spawn();
/// let words = flat_map(|line: &'static str| line.split(' '))
///     .stage()
///     .subscribe_to(&lines)
///     .spawn();
/// let count = fold(0, |count, _word: &str| count + 1).stage().subscribe_to(&words).spawn();
/// assert_eq!(count.output().await?, 3);
/// # Ok(())
/// # }
/// ```
pub fn flat_map<F, I, O>(f: F) -> FlatMap<F, I, O>
where
    F: FnMut(I) -> O + Send + 'static,
    O: IntoIterator,
{
    FlatMap {
        f,
        events: PhantomData,
    }
}

impl<F, I, O> ProducerConsumer for FlatMap<F, I, O>
where
    F: FnMut(I) -> O + Send + 'static,
    I: Send + 'static,
    O: IntoIterator<Item: Send + 'static> + 'static,
{
    type In = I;
    type Out = O::Item;

    async fn handle_events(
        &mut self,
        events: &mut Batch<I>,
        out: &mut Emitter<'_, O::Item>,
    ) -> StageResult {
        out.extend(events.into_iter().flat_map(&mut self.f));
        Ok(())
    }
}

impl<F, I, O> fmt::Debug for FlatMap<F, I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FlatMap")
    }
}
