//! Events that a closure looks at as they pass.

use std::marker::PhantomData;

use stage_core::{Batch, Emitter, ProducerConsumer, StageResult};

use super::map_in_place::change_all;
use crate::operators::debug::debug_as_name;

/// Calls a closure with a reference to every event and passes it on; made by
/// [`inspect`].
pub struct Inspect<F, E> {
    f: F,
    events: PhantomData<fn(E) -> E>,
}

/// A producer-consumer that calls `f` with a reference to every event, once and in
/// order, and passes the event on as it is.
///
/// The batch that came in goes out again, as for
/// [`map_in_place`](super::map_in_place).
///
/// # Panics
///
/// A panic of `f` fails the stage and loses nothing: the event that `f` was called
/// with goes to the dead-letter hook or is handed back.
///
/// ```
/// use stage_runtime::operators::{fold, from_iter, inspect};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let numbers = from_iter(0..3).stage().spawn();
/// let shown = inspect(|n: &u64| println!("{n}")).stage().subscribe_to(&numbers).spawn();
/// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&shown).spawn();
/// assert_eq!(sum.output().await?, 3);
/// # Ok(())
/// # }
/// ```
///
/// Source: `futures::StreamExt::inspect`.
pub fn inspect<F, E>(f: F) -> Inspect<F, E>
where
    F: FnMut(&E) + Send + 'static,
{
    Inspect {
        f,
        events: PhantomData,
    }
}

impl<F, E> ProducerConsumer for Inspect<F, E>
where
    F: FnMut(&E) + Send + 'static,
    E: Send + 'static,
{
    type In = E;
    type Out = E;

    async fn handle_events(
        &mut self,
        events: &mut Batch<E>,
        out: &mut Emitter<'_, E>,
    ) -> StageResult {
        change_all(events, |event| (self.f)(event), out.as_mut_vec());
        Ok(())
    }
}

debug_as_name!(Inspect<F, E>);
