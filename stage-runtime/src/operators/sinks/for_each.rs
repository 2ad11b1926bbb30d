//! A closure that is called with every event.

use std::marker::PhantomData;

use stage_core::{Batch, Consumer, Context, StageResult};

use crate::operators::debug::debug_as_name;

/// Calls a closure with every event; made by [`for_each`].
pub struct ForEach<F, E> {
    f: F,
    events: PhantomData<fn(E)>,
}

/// A consumer that calls `f` with every event.
///
/// For a closure that may fail use [`try_for_each`](super::try_for_each), for one
/// that awaits [`for_each_async`](super::for_each_async).
///
/// # Panics
///
/// A panic of `f` fails the stage. It loses the event that `f` was called with and
/// no other.
///
/// ```
/// use stage_runtime::operators::{for_each, from_iter};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let numbers = from_iter(1..=3).stage().spawn();
/// let printer = for_each(|n: i32| println!("{n}")).stage().subscribe_to(&numbers).spawn();
/// printer.join().await
/// # }
/// ```
///
/// Source: `Iterator::for_each`.
pub fn for_each<F, E>(f: F) -> ForEach<F, E>
where
    F: FnMut(E) + Send + 'static,
{
    ForEach {
        f,
        events: PhantomData,
    }
}

impl<F, E> Consumer for ForEach<F, E>
where
    F: FnMut(E) + Send + 'static,
    E: Send + 'static,
{
    type Event = E;

    async fn handle_events(&mut self, events: &mut Batch<E>, _cx: &mut Context<'_>) -> StageResult {
        each(events, &mut self.f);
        Ok(())
    }
}

/// Not inlined, so that the compiler sees a loop over a slice and no state machine.
#[inline(never)]
fn each<E>(events: &mut Batch<E>, f: impl FnMut(E)) {
    events.into_iter().for_each(f);
}

debug_as_name!(ForEach<F, E>);
