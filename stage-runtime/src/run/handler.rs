//! The user's stage, and what its handlers emit and ask for.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use futures::FutureExt;
use stage_core::{Commands, Context, Emitter, Failure, StageResult, SubscriptionId, panic_message};

use crate::activity::Doing;
use crate::identity::Identity;

/// A stage of type `S`, which emits `E`.
pub(crate) struct Handler<S, E> {
    pub(crate) stage: S,
    pub(crate) emitted: Emitted<E>,
    pub(crate) commands: Commands,
    identity: Arc<Identity>,
    waker: Waker,
}

impl<S, E> Handler<S, E> {
    pub(crate) fn new(stage: S, identity: Arc<Identity>) -> Self {
        let waker = Waker::from(Arc::clone(&identity));
        Self {
            stage,
            emitted: Emitted {
                events: Vec::new(),
                identity: Arc::clone(&identity),
            },
            commands: Commands::default(),
            identity,
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
            &self.identity.name,
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
    identity: Arc<Identity>,
}

/// A handler that is dropped with its task has emitted for nobody.
impl<E> Drop for Emitted<E> {
    fn drop(&mut self) {
        let counters = &self.identity.counters;
        counters.events_out.add(self.events.len());
        counters.discarded.add(self.events.len());
    }
}

/// A handler that keeps its thread for so long is reported.
const BLOCKING: Duration = Duration::from_secs(1);

/// Runs a handler to its end: times it, and turns an error or a panic into the
/// stage's failure.
pub(crate) async fn guard<T>(
    identity: &Identity,
    doing: Doing,
    handler: impl Future<Output = StageResult<T>> + Send,
) -> Result<T, Failure> {
    let activity = &identity.activity;
    let started = activity.now();
    activity.set(doing);
    // The stage is not called again after a panic, except to terminate it.
    let mut handler = pin!(AssertUnwindSafe(handler).catch_unwind());
    let mut first = Some(started);
    let result = poll_fn(|cx| {
        let polled = first.take().unwrap_or_else(|| activity.tick());
        let result = handler.as_mut().poll(cx);
        let held = Duration::from_nanos(activity.tick().saturating_sub(polled));
        if held >= BLOCKING {
            tracing::warn!(
                stage = %identity.name,
                handler = doing.handler(),
                ?held,
                "a handler has blocked its thread; use `spawn_blocking` for what takes long"
            );
        }
        result
    })
    .await;
    let took = activity.now().saturating_sub(started);
    identity.counters.in_handlers.add_u64(took);
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::error(Arc::clone(&identity.name), error)),
        Err(panic) => Err(Failure::panic(
            Arc::clone(&identity.name),
            panic_message(panic.as_ref()),
        )),
    }
}
