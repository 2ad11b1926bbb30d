//! A producer-consumer out of a closure: one event out, or none, for each event in.

use std::fmt;
use std::marker::PhantomData;

use stage_core::{Batch, Emitter, ProducerConsumer, StageResult};

/// Emits a function of some events; made by [`filter_map`].
pub struct FilterMap<F, I, O> {
    pub(super) f: F,
    events: PhantomData<fn(I) -> O>,
}

/// A producer-consumer that emits what `f` makes of an event, where it makes
/// something: `None` emits nothing.
///
/// ```
/// use stage_runtime::operators::{filter_map, fold, from_iter};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let words = from_iter(["1", "two", "3"]).stage().spawn();
/// let numbers = filter_map(|word: &str| word.parse::<i32>().ok())
///     .stage()
///     .subscribe_to(&words)
///     .spawn();
/// let sum = fold(0, |sum, n: i32| sum + n).stage().subscribe_to(&numbers).spawn();
/// assert_eq!(sum.output().await?, 4);
/// # Ok(())
/// # }
/// ```
pub fn filter_map<F, I, O>(f: F) -> FilterMap<F, I, O>
where
    F: FnMut(I) -> Option<O> + Send + 'static,
{
    FilterMap {
        f,
        events: PhantomData,
    }
}

impl<F, I, O> ProducerConsumer for FilterMap<F, I, O>
where
    F: FnMut(I) -> Option<O> + Send + 'static,
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
        out.extend(events.into_iter().filter_map(&mut self.f));
        Ok(())
    }
}

impl<F, I, O> fmt::Debug for FilterMap<F, I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FilterMap")
    }
}
