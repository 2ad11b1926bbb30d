//! All events folded into one value.

use std::fmt;
use std::marker::PhantomData;

use stage_core::{Batch, Consumer, Context, StageResult};

use crate::error::Error;
use crate::handle::ConsumerHandle;

/// Folds all events into one value; made by [`fold`].
pub struct Fold<A, F, E> {
    /// `None` while `f` has it, and for good after a panic of `f`.
    folded: Option<A>,
    f: F,
    events: PhantomData<fn(E)>,
}

/// A consumer that calls `f` with the value so far and each event, and keeps the
/// result as the next value. It begins with `init`.
/// [`output`](crate::StageHandle::output) of its handle waits for the last one.
///
/// # Panics
///
/// A panic of `f` fails the stage, and the value is gone with it.
///
/// ```
/// use stage_runtime::operators::{fold, from_iter};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let words = from_iter(["demand", "driven"]).stage().spawn();
/// let letters = fold(0, |sum, word: &str| sum + word.len())
///     .stage()
///     .subscribe_to(&words)
///     .spawn();
/// assert_eq!(letters.output().await?, 12);
/// # Ok(())
/// # }
/// ```
///
/// Source: `Iterator::fold`.
pub fn fold<A, F, E>(init: A, f: F) -> Fold<A, F, E>
where
    F: FnMut(A, E) -> A + Send + 'static,
{
    Fold {
        folded: Some(init),
        f,
        events: PhantomData,
    }
}

impl<A, F, E> Consumer for Fold<A, F, E>
where
    A: Send + 'static,
    F: FnMut(A, E) -> A + Send + 'static,
    E: Send + 'static,
{
    type Event = E;

    async fn handle_events(&mut self, events: &mut Batch<E>, _cx: &mut Context<'_>) -> StageResult {
        if let Some(folded) = self.folded.take() {
            self.folded = Some(fold_all(events, folded, &mut self.f));
        }
        Ok(())
    }
}

/// Not inlined, so that the compiler sees a loop over a slice and no state machine.
#[inline(never)]
fn fold_all<A, E>(events: &mut Batch<E>, folded: A, f: impl FnMut(A, E) -> A) -> A {
    events.into_iter().fold(folded, f)
}

impl<A, F, E> ConsumerHandle<Fold<A, F, E>>
where
    A: Send + 'static,
    F: FnMut(A, E) -> A + Send + 'static,
    E: Send + 'static,
{
    /// Waits until all events have been folded and returns the last value.
    ///
    /// # Errors
    ///
    /// As for [`join`](crate::StageHandle::join).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future detaches the stage.
    pub async fn output(self) -> Result<A, Error> {
        let name = self.name().to_owned();
        self.join_stage()
            .await?
            .folded
            .ok_or_else(|| Error::Cancelled {
                stage: name.into(),
                reason: "its function panicked".into(),
            })
    }
}

impl<A: fmt::Debug, F, E> fmt::Debug for Fold<A, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fold")
            .field("folded", &self.folded)
            .finish_non_exhaustive()
    }
}
