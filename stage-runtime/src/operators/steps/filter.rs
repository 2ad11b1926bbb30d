//! Events that a predicate lets pass.

use std::marker::PhantomData;

use stage_core::{Batch, Emitter, ProducerConsumer, StageResult};

use crate::operators::debug::debug_as_name;

/// Emits the events that a predicate lets pass; made by [`filter`].
pub struct Filter<F, E> {
    f: F,
    events: PhantomData<fn(E) -> E>,
}

/// A producer-consumer that calls `f` with a reference to every event and emits the
/// events for which it returns `true`. The others count as handled.
///
/// Events of a [`Broadcast`](stage_dispatchers::Broadcast) are cloned only if they
/// pass. Where `f` would be the same for all events of a subscription, a
/// [`Selector`](stage_dispatchers::Selector) keeps the others from being sent.
///
/// # Panics
///
/// A panic of `f` fails the stage and loses nothing: the event that `f` was called
/// with goes to the dead-letter hook or is handed back.
///
/// ```
/// use stage_runtime::operators::{filter, fold, from_iter};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let numbers = from_iter(0..10).stage().spawn();
/// let even = filter(|n: &u64| n % 2 == 0).stage().subscribe_to(&numbers).spawn();
/// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&even).spawn();
/// assert_eq!(sum.output().await?, 20);
/// # Ok(())
/// # }
/// ```
///
/// Source: `futures::StreamExt::filter`, with a closure that does not await.
pub fn filter<F, E>(f: F) -> Filter<F, E>
where
    F: FnMut(&E) -> bool + Send + 'static,
{
    Filter {
        f,
        events: PhantomData,
    }
}

impl<F, E> ProducerConsumer for Filter<F, E>
where
    F: FnMut(&E) -> bool + Send + 'static,
    E: Send + 'static,
{
    type In = E;
    type Out = E;

    async fn handle_events(
        &mut self,
        events: &mut Batch<E>,
        out: &mut Emitter<'_, E>,
    ) -> StageResult {
        pass(events, &mut self.f, out.as_mut_vec());
        Ok(())
    }
}

/// Not inlined, so that the compiler sees a loop over a slice and no state machine.
#[inline(never)]
fn pass<E>(events: &mut Batch<E>, mut f: impl FnMut(&E) -> bool, emitted: &mut Vec<E>) {
    while let Some(event) = events.peek() {
        if f(event) {
            emitted.extend(events.pop_front());
        } else {
            events.advance(1);
        }
    }
}

debug_as_name!(Filter<F, E>);
