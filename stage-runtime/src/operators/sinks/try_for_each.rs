//! A closure that is called with every event and may fail.

use std::marker::PhantomData;

use stage_core::{Batch, Consumer, Context, StageResult};

use crate::operators::debug::debug_as_name;

/// Calls a closure that may fail with every event; made by [`try_for_each`].
pub struct TryForEach<F, E> {
    f: F,
    events: PhantomData<fn(E)>,
}

/// A consumer that calls `f` with every event.
///
/// # Errors
///
/// An `Err` of `f` fails the stage, and so does a panic. It loses the event that `f`
/// was called with and no other: the events behind it are handed back, or handled
/// after the restart of a [supervised](crate::supervised) stage.
///
/// ```
/// use stage_runtime::operators::{from_iter, try_for_each};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let numbers = from_iter(0..10).stage().spawn();
/// let checked = try_for_each(|n: u64| match n {
///     7 => Err(format!("no idea what to do with {n}").into()),
///     _ => Ok(()),
/// });
/// let checked = checked.stage().name("check").subscribe_to(&numbers).spawn();
/// let error = checked.join().await.unwrap_err();
/// assert_eq!(error.to_string(), "stage `check` failed: no idea what to do with 7");
/// # }
/// ```
///
/// Source: `Iterator::try_for_each`.
pub fn try_for_each<F, E>(f: F) -> TryForEach<F, E>
where
    F: FnMut(E) -> StageResult + Send + 'static,
{
    TryForEach {
        f,
        events: PhantomData,
    }
}

impl<F, E> Consumer for TryForEach<F, E>
where
    F: FnMut(E) -> StageResult + Send + 'static,
    E: Send + 'static,
{
    type Event = E;

    async fn handle_events(&mut self, events: &mut Batch<E>, _cx: &mut Context<'_>) -> StageResult {
        for event in events {
            (self.f)(event)?;
        }
        Ok(())
    }
}

debug_as_name!(TryForEach<F, E>);
