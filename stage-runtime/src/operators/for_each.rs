//! A consumer out of a closure.

use std::fmt;
use std::marker::PhantomData;

use stage_core::{Batch, Consumer, Context, StageResult};

/// Calls a function with every event; made by [`for_each`].
pub struct ForEach<F, E> {
    f: F,
    events: PhantomData<fn(E)>,
}

/// A consumer that calls `f` with every event.
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

/// Not inlined, so that the compiler sees a loop over a slice and not a state
/// machine.
#[inline(never)]
fn each<E>(events: &mut Batch<E>, f: impl FnMut(E)) {
    events.into_iter().for_each(f);
}

/// Calls a function with a reference to every event; made by [`for_each_ref`].
pub struct ForEachRef<F, E> {
    f: F,
    events: PhantomData<fn(E)>,
}

/// A consumer that calls `f` with a reference to every event.
///
/// The event stays in the stage's hands: if `f` panics, it goes to the
/// [dead-letter hook](crate::builder::ConsumerBuilder::dead_letters), or back to where it
/// came from. Of a broadcast nothing is cloned.
///
/// ```
/// use stage_runtime::operators::{for_each_ref, from_iter};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let words = from_iter(["read", "me"].map(String::from)).stage().spawn();
/// let printer = for_each_ref(|word: &String| println!("{word}"))
///     .stage()
///     .subscribe_to(&words)
///     .spawn();
/// printer.join().await
/// # }
/// ```
pub fn for_each_ref<F, E>(f: F) -> ForEachRef<F, E>
where
    F: FnMut(&E) + Send + 'static,
{
    ForEachRef {
        f,
        events: PhantomData,
    }
}

impl<F, E> Consumer for ForEachRef<F, E>
where
    F: FnMut(&E) + Send + 'static,
    E: Send + 'static,
{
    type Event = E;

    async fn handle_events(&mut self, events: &mut Batch<E>, _cx: &mut Context<'_>) -> StageResult {
        each_ref(events, &mut self.f);
        Ok(())
    }
}

#[inline(never)]
fn each_ref<E>(events: &mut Batch<E>, mut f: impl FnMut(&E)) {
    while let Some(event) = events.peek() {
        f(event);
        events.advance(1);
    }
}

impl<F, E> fmt::Debug for ForEachRef<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForEachRef")
    }
}

impl<F, E> fmt::Debug for ForEach<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForEach")
    }
}
