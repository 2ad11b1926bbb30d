//! One event out for each event in, by a closure that may fail.

use std::marker::PhantomData;

use stage_core::{Batch, Emitter, ProducerConsumer, StageResult};

use crate::operators::debug::debug_as_name;

/// Emits the result of a closure that may fail; made by [`try_map`].
pub struct TryMap<F, I, O> {
    f: F,
    events: PhantomData<fn(I) -> O>,
}

/// A producer-consumer that calls `f` with every event and emits the value of each
/// `Ok`.
///
/// # Errors
///
/// An `Err` of `f` fails the stage, and so does a panic. It loses the event that `f`
/// was called with and no other: values emitted before stay emitted, and the events
/// behind it are handed back, or handled after the restart of a
/// [supervised](crate::supervised) stage.
///
/// ```
/// use stage_runtime::operators::{fold, from_iter, try_map};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let words = from_iter(["1", "two", "3"]).stage().spawn();
/// let numbers = supervised(|| try_map(|word: &'static str| Ok(word.parse::<u64>()?)))
///     .stage()
///     .subscribe_to(&words)
///     .spawn();
/// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&numbers).spawn();
/// assert_eq!(sum.output().await?, 4);
/// assert_eq!((numbers.stats().restarts, numbers.stats().lost), (1, 1));
/// # Ok(())
/// # }
/// ```
pub fn try_map<F, I, O>(f: F) -> TryMap<F, I, O>
where
    F: FnMut(I) -> StageResult<O> + Send + 'static,
{
    TryMap {
        f,
        events: PhantomData,
    }
}

impl<F, I, O> ProducerConsumer for TryMap<F, I, O>
where
    F: FnMut(I) -> StageResult<O> + Send + 'static,
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
        for event in events {
            out.push((self.f)(event)?);
        }
        Ok(())
    }
}

debug_as_name!(TryMap<F, I, O>);
