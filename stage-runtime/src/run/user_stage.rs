//! The user's stage, its emitter, and the guard around its handlers.
//!
//! A handler that returns an error and one that panics are treated the same: both
//! become a [`Failure`] that names the stage, and both can restart it.

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

/// The user's stage of type `S`, which emits `E`, and the buffers that its
/// handlers write to.
///
/// The task owns the buffers rather than the handler's future, so that they
/// survive a handler that fails or is dropped.
pub(crate) struct UserStage<S, E> {
    /// The user's value; replaced by a restart.
    pub(crate) stage: S,
    /// Events that a handler has emitted.
    pub(crate) emitted: Emitted<E>,
    /// Requests that a handler has made through its context.
    pub(crate) commands: Commands,
    /// The waker that handlers get from their context.
    waker: Waker,
}

impl<S, E> UserStage<S, E> {
    /// Wraps `stage`. Its waker notifies the task through `shared`.
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

    /// Returns the stage, and the emitter for one call of a handler. `subscription`
    /// is the one that the call is about, if it is about one.
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

/// Events that a handler has emitted and the dispatcher has not been given.
pub(crate) struct Emitted<E> {
    pub(crate) events: Vec<E>,
    shared: Arc<StageShared>,
}

/// Counts the events as emitted and discarded: the task was dropped inside a
/// handler, so no dispatcher will get them.
impl<E> Drop for Emitted<E> {
    fn drop(&mut self) {
        let counters = &self.shared.counters;
        counters.events_out.add(self.events.len());
        counters.discarded.add(self.events.len());
    }
}

/// Runs a handler, measures it, and turns an error or a panic into the failure of
/// the stage.
///
/// `handle_demand` and `handle_events` are on the hot path and are only
/// [`timed`]; `StageTask::caught` catches their panics around the event loop as a
/// whole.
pub(crate) fn guard<'a, T>(
    shared: &'a StageShared,
    doing: Doing,
    handler: impl Future<Output = StageResult<T>> + Send + 'a,
) -> impl Future<Output = Result<T, Failure>> + Send + 'a
where
    T: 'a,
{
    // Unwind safe: after a panic only `terminate` is called on this state.
    let handler = AssertUnwindSafe(handler).catch_unwind();
    timed(shared, doing, handler).map(|result| match result {
        Ok(result) => result.map_err(|error| failed(shared, error)),
        Err(panic) => Err(panicked(shared, &*panic)),
    })
}

/// Returns the failure of a stage whose handler returned an error.
#[cold]
pub(super) fn failed(shared: &StageShared, error: BoxError) -> Failure {
    Failure::error(Arc::clone(&shared.name), error)
}

/// Returns the failure of a stage in which a handler or the dispatcher panicked.
#[cold]
pub(super) fn panicked(shared: &StageShared, panic: &(dyn Any + Send)) -> Failure {
    Failure::panic(Arc::clone(&shared.name), panic_message(panic))
}
