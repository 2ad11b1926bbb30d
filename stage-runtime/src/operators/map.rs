//! A producer-consumer out of a closure: one event out for each event in.

use std::fmt;
use std::marker::PhantomData;

use stage_core::{Batch, Emitter, ProducerConsumer, StageResult};

/// Emits a function of every event; made by [`map`].
pub struct Map<F, I, O> {
    pub(super) f: F,
    events: PhantomData<fn(I) -> O>,
}

/// A producer-consumer that emits `f` of every event.
///
/// ```
/// use stage_runtime::operators::{fold, from_iter, map};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let numbers = from_iter(1..=3).stage().spawn();
/// let doubled = map(|n: i32| n * 2).stage().subscribe_to(&numbers).spawn();
/// let sum = fold(0, |sum, n: i32| sum + n).stage().subscribe_to(&doubled).spawn();
/// assert_eq!(sum.output().await?, 12);
/// # Ok(())
/// # }
/// ```
pub fn map<F, I, O>(f: F) -> Map<F, I, O>
where
    F: FnMut(I) -> O + Send + 'static,
{
    Map {
        f,
        events: PhantomData,
    }
}

impl<F, I, O> ProducerConsumer for Map<F, I, O>
where
    F: FnMut(I) -> O + Send + 'static,
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
        out.extend(events.into_iter().map(&mut self.f));
        Ok(())
    }
}

impl<F, I, O> fmt::Debug for Map<F, I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Map")
    }
}
