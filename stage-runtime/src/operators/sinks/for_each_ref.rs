//! A closure that reads every event in place.

use std::marker::PhantomData;

use stage_core::{Batch, Consumer, Context, StageResult};

use crate::operators::debug::debug_as_name;

/// Calls a closure with a reference to every event; made by [`for_each_ref`].
pub struct ForEachRef<F, E> {
    f: F,
    events: PhantomData<fn(E)>,
}

/// A consumer that calls `f` with a reference to every event.
///
/// The events of a broadcast are read without being cloned.
///
/// # Panics
///
/// A panic of `f` fails the stage and loses nothing: the event that `f` was called
/// with goes to the [dead-letter hook](crate::builder::ConsumerBuilder::dead_letters)
/// or is handed back.
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

debug_as_name!(ForEachRef<F, E>);
