//! Any number of events out for each event in.

use std::marker::PhantomData;

use stage_core::{Batch, Emitter, ProducerConsumer, StageResult};

use crate::operators::debug::debug_as_name;

/// Emits all items that a closure returns; made by [`flat_map`].
pub struct FlatMap<F, I, O> {
    f: F,
    events: PhantomData<fn(I) -> O>,
}

/// A producer-consumer that calls `f` with every event and emits all items of the
/// iterator that it returns.
///
/// All items of a batch are emitted before the next batch is handled. Where one
/// event becomes very many, set a small `max_demand` on the stage's subscription.
///
/// # Panics
///
/// A panic of `f` or of its iterator fails the stage. It loses the event that `f`
/// was called with and no other; items that were emitted before stay emitted.
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
///
/// Source: `Iterator::flat_map`.
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

debug_as_name!(FlatMap<F, I, O>);
