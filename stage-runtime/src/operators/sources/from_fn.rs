//! A producer made of a function.

use std::iter;

use stage_core::{Emitter, Producer, StageResult};

use crate::operators::debug::debug_as_name;

/// Emits the values that a function returns; made by [`from_fn`].
pub struct FromFn<F> {
    next: F,
}

/// A producer that calls `next` once for every event asked for, emits the value
/// in `Some` and completes at `None`. A function that has to wait is for
/// [`unfold`](super::unfold).
///
/// ```
/// use stage_runtime::operators::{fold, from_fn};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let mut left = 3;
/// let countdown = from_fn(move || {
///     left -= 1;
///     (left >= 0).then_some(left)
/// });
/// let countdown = countdown.stage().spawn();
/// let last = fold(0, |_, n: i32| n).stage().subscribe_to(&countdown).spawn();
/// assert_eq!(last.output().await?, 0);
/// # Ok(())
/// # }
/// ```
///
/// Source: `std::iter::from_fn`.
pub fn from_fn<E, F>(next: F) -> FromFn<F>
where
    F: FnMut() -> Option<E> + Send + 'static,
{
    FromFn { next }
}

impl<E, F> Producer for FromFn<F>
where
    E: Send + 'static,
    F: FnMut() -> Option<E> + Send + 'static,
{
    type Event = E;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, E>) -> StageResult {
        out.extend(iter::from_fn(&mut self.next).take(demand));
        if out.len() < demand {
            out.complete();
        }
        Ok(())
    }
}

debug_as_name!(FromFn<F>);
