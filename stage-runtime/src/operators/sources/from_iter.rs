//! A producer made of an iterator.

use stage_core::{Emitter, Producer, StageResult};

use crate::operators::debug::debug_as_name;

/// Emits the items of an iterator; made by [`from_iter`].
pub struct FromIter<I> {
    events: I,
}

/// A producer that emits the items of `events` and completes when the iterator
/// ends. It takes an item only when an event was asked for.
///
/// The iterator must not block its thread: the stage runs on a thread of the
/// runtime.
///
/// ```
/// use stage_runtime::operators::{fold, from_iter};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let numbers = from_iter(1..=3).stage().spawn();
/// let sum = fold(0, |sum, n: i32| sum + n).stage().subscribe_to(&numbers).spawn();
/// assert_eq!(sum.output().await?, 6);
/// # Ok(())
/// # }
/// ```
///
/// Source: `GenStage.from_enumerable/2`.
pub fn from_iter<I: IntoIterator>(events: I) -> FromIter<I::IntoIter> {
    FromIter {
        events: events.into_iter(),
    }
}

impl<I> Producer for FromIter<I>
where
    I: Iterator<Item: Send + 'static> + Send + 'static,
{
    type Event = I::Item;

    async fn handle_demand(
        &mut self,
        demand: usize,
        out: &mut Emitter<'_, I::Item>,
    ) -> StageResult {
        out.extend(self.events.by_ref().take(demand));
        // Some iterators know that they have ended before they are asked.
        if out.len() < demand || self.events.size_hint() == (0, Some(0)) {
            out.complete();
        }
        Ok(())
    }
}

debug_as_name!(FromIter<I>);
