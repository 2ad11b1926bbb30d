//! One event out for each event in.

use std::marker::PhantomData;

use stage_core::{Batch, Emitter, ProducerConsumer, StageResult};

use crate::operators::debug::debug_as_name;

/// Emits the result of a closure for every event; made by [`map`].
pub struct Map<F, I, O> {
    pub(in crate::operators) f: F,
    events: PhantomData<fn(I) -> O>,
}

/// A producer-consumer that calls `f` with every event and emits the result.
///
/// For a closure that may fail use [`try_map`](super::try_map), for one that awaits
/// [`then`](super::then) or [`map_concurrent`](super::map_concurrent), and for one
/// that changes the event in place [`map_in_place`](super::map_in_place).
///
/// # Panics
///
/// A panic of `f` fails the stage. It loses the event that `f` was called with and
/// no other.
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
///
/// Source: `futures::StreamExt::map`.
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

debug_as_name!(Map<F, I, O>);
