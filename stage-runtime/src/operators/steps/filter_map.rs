//! One event or none out for each event in.

use std::marker::PhantomData;

use stage_core::{Batch, Emitter, ProducerConsumer, StageResult};

use crate::operators::debug::debug_as_name;

/// Emits the values that a closure returns in `Some`; made by [`filter_map`].
pub struct FilterMap<F, I, O> {
    pub(in crate::operators) f: F,
    events: PhantomData<fn(I) -> O>,
}

/// A producer-consumer that calls `f` with every event, emits the value of each
/// `Some` and nothing for `None`.
///
/// # Panics
///
/// A panic of `f` fails the stage. It loses the event that `f` was called with and
/// no other.
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
///
/// Source: `futures::StreamExt::filter_map`, with a closure that does not await.
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

debug_as_name!(FilterMap<F, I, O>);
