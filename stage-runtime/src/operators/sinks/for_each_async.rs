//! A closure that is awaited with every event.

use std::marker::PhantomData;

use stage_core::{Batch, Consumer, Context, StageResult};

use crate::operators::debug::debug_as_name;
use crate::operators::infallible::{Infallible, infallible};

/// Awaits an async closure with every event; made by [`for_each_async`] and
/// [`try_for_each_async`].
pub struct ForEachAsync<F, E> {
    f: F,
    events: PhantomData<fn(E)>,
}

/// A consumer that awaits `f` with every event, one at a time and in order. For a
/// task of its own for every event use [`per_event`](crate::per_event()).
///
/// While `f` is awaited with the events of a batch, the stage takes no message and
/// cannot be stopped. A small `max_demand` on its subscription makes batches short.
///
/// ```
/// use stage_runtime::operators::{for_each_async, from_iter};
/// use stage_runtime::prelude::*;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let numbers = from_iter(1..=3).stage().spawn();
/// let printer = for_each_async(async |n: u64| {
///     tokio::time::sleep(Duration::from_millis(1)).await;
///     println!("{n}");
/// });
/// printer.stage().subscribe_to(&numbers).spawn().join().await
/// # }
/// ```
///
/// Source: `futures::StreamExt::for_each`.
pub fn for_each_async<F, Fut, E>(
    f: F,
) -> ForEachAsync<impl FnMut(E) -> Infallible<Fut> + Send + 'static, E>
where
    F: FnMut(E) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    try_for_each_async(infallible(f))
}

/// The same as [`for_each_async`] for an `f` that may fail.
///
/// # Errors
///
/// An `Err` of `f` fails the stage, and so does a panic. It loses the event that `f`
/// was called with and no other, as for [`try_for_each`](super::try_for_each).
///
/// ```
/// use stage_runtime::operators::{from_iter, try_for_each_async};
/// use stage_runtime::prelude::*;
/// use tokio::sync::mpsc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (outbox, mut inbox) = mpsc::channel(2);
/// let numbers = from_iter(1..=3).stage().spawn();
/// let sender = try_for_each_async(move |n: u64| {
///     let outbox = outbox.clone();
///     async move { Ok(outbox.send(n).await?) }
/// });
/// let sender = sender.stage().name("sender").subscribe_to(&numbers).spawn();
/// assert_eq!(inbox.recv().await, Some(1));
/// drop(inbox);
/// let error = sender.join().await.unwrap_err();
/// assert_eq!(error.to_string(), "stage `sender` failed: channel closed");
/// # }
/// ```
///
/// Source: `futures::TryStreamExt::try_for_each`.
pub fn try_for_each_async<F, Fut, E>(f: F) -> ForEachAsync<F, E>
where
    F: FnMut(E) -> Fut + Send + 'static,
    Fut: Future<Output = StageResult> + Send,
{
    ForEachAsync {
        f,
        events: PhantomData,
    }
}

impl<F, Fut, E> Consumer for ForEachAsync<F, E>
where
    F: FnMut(E) -> Fut + Send + 'static,
    Fut: Future<Output = StageResult> + Send,
    E: Send + 'static,
{
    type Event = E;

    async fn handle_events(&mut self, events: &mut Batch<E>, _cx: &mut Context<'_>) -> StageResult {
        while let Some(event) = events.pop_front() {
            (self.f)(event).await?;
        }
        Ok(())
    }
}

debug_as_name!(ForEachAsync<F, E>);
