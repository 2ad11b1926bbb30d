//! A stage that handles events.

use std::future::{Future, ready};

use super::{Context, Info};
use crate::{Batch, DemandMode, Outcome, Peer, StageResult};

/// A stage that handles events, and asks for more when it has.
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
/// The handler borrows its batch. What it leaves in there when it returns `Ok`
/// counts as handled, so a handler may as well read by reference.
///
/// # Errors
///
/// An `Err` from any handler ends the stage as [`Outcome::Failed`], and so
/// does a panic. The events it had not taken are still in the batch.
///
/// Source: the callbacks of a `:consumer` in GenStage.
pub trait Consumer: Send + 'static {
    /// What it handles.
    type Event: Send + 'static;

    /// Handles a batch: at least one event, at most `max_demand - min_demand`.
    fn handle_events(
        &mut self,
        events: &mut Batch<Self::Event>,
        cx: &mut Context<'_>,
    ) -> impl Future<Output = StageResult> + Send;

    /// A subscription to a producer begins; says who asks for its events.
    /// [`DemandMode::Automatic`] by default.
    fn handle_subscribe(
        &mut self,
        producer: &Peer,
        cx: &mut Context<'_>,
    ) -> impl Future<Output = StageResult<DemandMode>> + Send {
        let _ = (producer, cx);
        ready(Ok(DemandMode::Automatic))
    }

    /// A subscription to a producer has ended, and everything that arrived
    /// over it has been handled. Does nothing by default.
    fn handle_cancel(
        &mut self,
        producer: &Peer,
        outcome: &Outcome,
        cx: &mut Context<'_>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (producer, outcome, cx);
        ready(Ok(()))
    }

    /// An info's turn has come. Does nothing by default.
    fn handle_info(
        &mut self,
        info: Info,
        cx: &mut Context<'_>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (info, cx);
        ready(Ok(()))
    }

    /// The [waker](Context::waker) of this stage was woken. Does nothing by
    /// default.
    ///
    /// This is how a consumer that has started work of its own, tasks for one,
    /// is called when some of it is done.
    fn handle_wake(&mut self, cx: &mut Context<'_>) -> impl Future<Output = StageResult> + Send {
        let _ = cx;
        ready(Ok(()))
    }

    /// Whether the stage may complete, now that its producers have completed
    /// and all their events were handled; asked again after every call of a
    /// handler. `true` by default.
    ///
    /// A consumer that has started work of its own says `false` until that is
    /// done.
    fn may_complete(&self) -> bool {
        true
    }

    /// Checks the options that the stage was made with, before it is spawned.
    /// `Ok` by default.
    ///
    /// # Errors
    ///
    /// What is wrong, the allowed range and the fix: `try_spawn` returns it, and a
    /// stage that `spawn` made fails with it before its first event.
    fn validate(&self) -> StageResult {
        Ok(())
    }

    /// How many events the stage has handled and not let go of, 0 by default:
    /// what it gathers for later, or works on in tasks of its own. Read when the
    /// stage comes to rest, and after `terminate`; what a state that is dropped
    /// holds then counts as lost.
    fn held(&self) -> usize {
        0
    }

    /// The stage has ended; the last call it gets. Does nothing by default.
    fn terminate(&mut self, outcome: &Outcome) -> impl Future<Output = ()> + Send {
        let _ = outcome;
        ready(())
    }
}
