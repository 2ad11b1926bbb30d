//! One event out for each event in, by a closure that awaits.

use std::marker::PhantomData;

use stage_core::{Batch, Emitter, ProducerConsumer, StageResult};

use crate::operators::debug::debug_as_name;
use crate::operators::infallible::{Infallible, infallible};

/// Emits the result of an async closure; made by [`then`] and [`try_then`].
pub struct Then<F, I, O> {
    f: F,
    events: PhantomData<fn(I) -> O>,
}

/// A producer-consumer that awaits `f` with every event, one at a time, and emits the
/// results in order. For several at a time use
/// [`map_concurrent`](super::map_concurrent).
///
/// The results of a batch leave together, when `f` has been awaited for its last
/// event; until then the stage takes no message and cannot be stopped. Set
/// `max_demand(1)` on its subscription and each result leaves at once.
///
/// ```
/// use stage_runtime::operators::{fold, from_iter, then};
/// use stage_runtime::prelude::*;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let numbers = from_iter(1..=3).stage().spawn();
/// let doubled = then(async |n: u64| {
///     tokio::time::sleep(Duration::from_millis(1)).await;
///     n * 2
/// });
/// let doubled = doubled.stage().subscribe_to(numbers.subscription().max_demand(1)).spawn();
/// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&doubled).spawn();
/// assert_eq!(sum.output().await?, 12);
/// # Ok(())
/// # }
/// ```
///
/// Source: `futures::StreamExt::then`.
pub fn then<F, Fut, I, O>(f: F) -> Then<impl FnMut(I) -> Infallible<Fut> + Send + 'static, I, O>
where
    F: FnMut(I) -> Fut + Send + 'static,
    Fut: Future<Output = O> + Send,
{
    try_then(infallible(f))
}

/// The same as [`then`] for an `f` that may fail.
///
/// # Errors
///
/// An `Err` of `f` fails the stage, and so does a panic. It loses the event that `f`
/// was called with and no other, as for [`try_map`](super::try_map).
///
/// ```
/// use stage_runtime::operators::{fold, from_iter, try_then};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let pages = from_iter(["12", "13", "x"]).stage().spawn();
/// let fetched = try_then(async |page: &'static str| {
///     tokio::task::yield_now().await; // Fetch it.
///     Ok(page.parse::<u64>()?)
/// });
/// let fetched = fetched.stage().name("fetch").subscribe_to(&pages).spawn();
/// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&fetched).spawn();
/// let error = sum.output().await.unwrap_err();
/// assert_eq!(error.to_string(), "stage `fetch` failed: invalid digit found in string");
/// # }
/// ```
pub fn try_then<F, Fut, I, O>(f: F) -> Then<F, I, O>
where
    F: FnMut(I) -> Fut + Send + 'static,
    Fut: Future<Output = StageResult<O>> + Send,
{
    Then {
        f,
        events: PhantomData,
    }
}

impl<F, Fut, I, O> ProducerConsumer for Then<F, I, O>
where
    F: FnMut(I) -> Fut + Send + 'static,
    Fut: Future<Output = StageResult<O>> + Send,
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
        while let Some(event) = events.pop_front() {
            out.push((self.f)(event).await?);
        }
        Ok(())
    }
}

debug_as_name!(Then<F, I, O>);
