//! The [`Consumer`] trait: a stage that handles events.

use std::future::{Future, ready};

use super::{Context, Info};
use crate::{Batch, DemandMode, Outcome, Peer, StageResult};

/// A stage that handles events and asks for more once it has.
///
/// One method is required, a plain `async fn`:
///
/// ```
/// use stage_core::{Batch, Consumer, Context, StageResult};
///
/// struct Printer;
///
/// impl Consumer for Printer {
///     type Event = u64;
///
///     async fn handle_events(
///         &mut self,
///         events: &mut Batch<u64>,
///         _cx: &mut Context<'_>,
///     ) -> StageResult {
///         for n in events {
///             println!("{n}");
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// The handler borrows its batch. Events that are still in the batch when it
/// returns `Ok` count as handled, so a handler may read them by reference.
///
/// # Errors
///
/// An `Err` or a panic of any handler ends the stage as [`Outcome::Failed`].
/// The events that the handler had not taken are still in the batch.
///
/// Source: the callbacks of a `:consumer` in GenStage.
pub trait Consumer: Send + 'static {
    /// The type of the events.
    type Event: Send + 'static;

    /// Called before any other handler of this state of the stage: when the
    /// stage begins, and for the new state after a restart. The place to
    /// connect. Does nothing by default.
    ///
    /// # Errors
    ///
    /// An error fails this state; a supervised stage is restarted with its
    /// backoff.
    fn handle_start(&mut self, cx: &mut Context<'_>) -> impl Future<Output = StageResult> + Send {
        let _ = cx;
        ready(Ok(()))
    }

    /// Handles a batch of at least 1 and at most `max_demand - min_demand`
    /// events.
    fn handle_events(
        &mut self,
        events: &mut Batch<Self::Event>,
        cx: &mut Context<'_>,
    ) -> impl Future<Output = StageResult> + Send;

    /// Called when a subscription to a producer begins; returns whether the
    /// stage or the user asks for its events. [`DemandMode::Automatic`] by
    /// default.
    fn handle_subscribe(
        &mut self,
        producer: &Peer,
        cx: &mut Context<'_>,
    ) -> impl Future<Output = StageResult<DemandMode>> + Send {
        let _ = (producer, cx);
        ready(Ok(DemandMode::Automatic))
    }

    /// Called when a subscription to a producer has ended and all events that
    /// arrived over it have been handled. Does nothing by default.
    fn handle_cancel(
        &mut self,
        producer: &Peer,
        outcome: &Outcome,
        cx: &mut Context<'_>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (producer, outcome, cx);
        ready(Ok(()))
    }

    /// Called with an info, in its turn among the events. Does nothing by
    /// default.
    fn handle_info(
        &mut self,
        info: Info,
        cx: &mut Context<'_>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (info, cx);
        ready(Ok(()))
    }

    /// Called when the [waker](Context::waker) of this stage has been woken or
    /// the delay of [`wake_after`](Context::wake_after) has passed. It never
    /// waits behind events that have arrived. Does nothing by default.
    ///
    /// A consumer that starts tasks of its own passes them the waker, and is
    /// called when one of them is done.
    fn handle_wake(&mut self, cx: &mut Context<'_>) -> impl Future<Output = StageResult> + Send {
        let _ = cx;
        ready(Ok(()))
    }

    /// Returns whether the stage may complete, once its producers have
    /// completed and all their events have been handled; called again after
    /// every call of a handler. `true` by default.
    ///
    /// A consumer that starts tasks of its own returns `false` until they are
    /// done.
    fn may_complete(&self) -> bool {
        true
    }

    /// Checks the options of the stage before it is spawned. `Ok` by default.
    ///
    /// # Errors
    ///
    /// The error should name the invalid value, the allowed range and the fix.
    /// `try_spawn` returns it; a stage spawned by `spawn` fails with it before
    /// its first event.
    fn validate(&self) -> StageResult {
        Ok(())
    }

    /// Returns the number of events that the stage has handled and still keeps:
    /// events gathered for later or in work in its own tasks. 0 by default.
    ///
    /// Called when the stage comes to rest, and after `terminate`; events held
    /// by a state that is dropped count as lost.
    fn held(&self) -> usize {
        0
    }

    /// Called last, when the stage has ended. Does nothing by default.
    fn terminate(&mut self, outcome: &Outcome) -> impl Future<Output = ()> + Send {
        let _ = outcome;
        ready(())
    }
}
