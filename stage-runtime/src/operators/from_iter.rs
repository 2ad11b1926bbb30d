//! A producer out of an iterator.

use std::fmt;

use stage_core::{Emitter, Producer, StageResult};

/// Emits what an iterator yields and completes when it ends; made by
/// [`from_iter`].
pub struct FromIter<I> {
    events: I,
}

/// A producer that emits what `events` yields, as many as are asked for, and
/// then completes.
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

impl<I> fmt::Debug for FromIter<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromIter")
    }
}
