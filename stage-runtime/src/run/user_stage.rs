//! The user's stage, and what its handlers emit and ask for.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Waker;

use futures::FutureExt;
use stage_core::{
    BoxError, Commands, Context, Emitter, Failure, StageResult, SubscriptionId, panic_message,
};

use super::timed::timed;
use crate::activity::Doing;
use crate::shared::StageShared;

/// A stage of type `S`, which emits `E`.
pub(crate) struct UserStage<S, E> {
    pub(crate) stage: S,
    pub(crate) emitted: Emitted<E>,
    pub(crate) commands: Commands,
    waker: Waker,
}

impl<S, E> UserStage<S, E> {
    pub(crate) fn new(stage: S, shared: Arc<StageShared>) -> Self {
        let waker = Waker::from(Arc::clone(&shared));
        Self {
            stage,
            emitted: Emitted {
                events: Vec::new(),
                shared,
            },
            commands: Commands::default(),
            waker,
        }
    }

    /// The stage, and the emitter for one call of a handler about
    /// `subscription`.
    pub(crate) fn open(
        &mut self,
        subscription: Option<SubscriptionId>,
    ) -> (&mut S, Emitter<'_, E>) {
        let context = Context::new(
            &self.emitted.shared.name,
            subscription,
            &self.waker,
            &mut self.commands,
        );
        (
            &mut self.stage,
            Emitter::new(&mut self.emitted.events, context),
        )
    }
}

/// What a handler has emitted and the dispatcher has not seen.
pub(crate) struct Emitted<E> {
    pub(crate) events: Vec<E>,
    shared: Arc<StageShared>,
}

/// A handler that is dropped with its task has emitted for nobody.
impl<E> Drop for Emitted<E> {
    fn drop(&mut self) {
        let counters = &self.shared.counters;
        counters.events_out.add(self.events.len());
        counters.discarded.add(self.events.len());
    }
}

/// Runs a handler to its end: times it, and turns an error or a panic into the
/// stage's failure.
///
/// The two handlers that are called all the time are only
/// [`timed`](super::timed::timed): what they panic with, the stage's loop as a
/// whole catches.
pub(crate) fn guard<'a, T>(
    shared: &'a StageShared,
    doing: Doing,
    handler: impl Future<Output = StageResult<T>> + Send + 'a,
) -> impl Future<Output = Result<T, Failure>> + Send + 'a
where
    T: 'a,
{
    // The stage is not called again after a panic, except to terminate it.
    let handler = AssertUnwindSafe(handler).catch_unwind();
    timed(shared, doing, handler).map(|result| match result {
        Ok(result) => result.map_err(|error| failed(shared, error)),
        Err(panic) => Err(panicked(shared, &*panic)),
    })
}

/// The failure of a stage whose handler returned an error.
#[cold]
pub(super) fn failed(shared: &StageShared, error: BoxError) -> Failure {
    Failure::error(Arc::clone(&shared.name), error)
}

/// The failure of a stage in which something panicked.
#[cold]
pub(super) fn panicked(shared: &StageShared, panic: &(dyn Any + Send)) -> Failure {
    Failure::panic(Arc::clone(&shared.name), panic_message(panic))
}
