//! A producer made of an async function.

use futures::Stream;
use futures::stream;

use super::{FromStream, from_stream};

/// A producer that awaits `next` once for every event. `next` gets the state and
/// returns an event and the next state, or `None` to complete.
///
/// While `next` waits, the stage takes subscriptions and messages.
///
/// ```
/// use stage_runtime::operators::{fold, unfold};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let powers = unfold(1u32, async |n| (n < 100).then_some((n, n * 2))).stage().spawn();
/// let sum = fold(0, |sum, n: u32| sum + n).stage().subscribe_to(&powers).spawn();
/// assert_eq!(sum.output().await?, 127);
/// # Ok(())
/// # }
/// ```
///
/// Source: `futures::stream::unfold`.
pub fn unfold<S, E, F, Fut>(
    state: S,
    next: F,
) -> FromStream<impl Stream<Item = E> + Send + use<S, E, F, Fut>>
where
    S: Send,
    F: FnMut(S) -> Fut + Send,
    Fut: Future<Output = Option<(E, S)>> + Send,
{
    from_stream(stream::unfold(state, next))
}
