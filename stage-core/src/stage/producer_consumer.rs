//! The [`ProducerConsumer`] trait: a stage that handles events and emits
//! others.

use std::future::{Future, ready};

use super::{Emitter, Info};
use crate::{Batch, DemandMode, Outcome, Peer, StageResult};

/// A stage in the middle of a pipeline: it handles events and emits others.
///
/// One method is required, a plain `async fn`:
///
/// ```
/// use stage_core::{Batch, Emitter, ProducerConsumer, StageResult};
///
/// struct Doubler;
///
/// impl ProducerConsumer for Doubler {
///     type In = u64;
///     type Out = u64;
///
///     async fn handle_events(
///         &mut self,
///         events: &mut Batch<u64>,
///         out: &mut Emitter<'_, u64>,
///     ) -> StageResult {
///         out.extend(events.into_iter().map(|n| n * 2));
///         Ok(())
///     }
/// }
/// ```
///
/// It handles a batch only while its own consumers have unmet demand, so a slow
/// consumer slows down the stage and the producers above it (backpressure). It
/// may emit more or fewer events than it handled. Events without demand wait in
/// its buffer, which is unbounded by default because the demand bounds its
/// input.
///
/// # Errors
///
/// As for [`Producer`](super::Producer) and [`Consumer`](super::Consumer).
///
/// Source: the callbacks of a `:producer_consumer` in GenStage.
pub trait ProducerConsumer: Send + 'static {
    /// The type of the events it handles.
    type In: Send + 'static;
    /// The type of the events it emits.
    type Out: Send + 'static;

    /// Called before any other handler of this state of the stage: when the
    /// stage begins, and for the new state after a restart. The place to
    /// connect. Does nothing by default.
    ///
    /// # Errors
    ///
    /// An error fails this state; a supervised stage is restarted with its
    /// backoff.
    fn handle_start(
        &mut self,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = out;
        ready(Ok(()))
    }

    /// Handles a batch of at least 1 and at most `max_demand - min_demand`
    /// events.
    fn handle_events(
        &mut self,
        events: &mut Batch<Self::In>,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send;

    /// Called when a subscription to a producer begins; returns whether the
    /// stage or the user asks for its events. [`DemandMode::Automatic`] by
    /// default.
    fn handle_producer_subscribe(
        &mut self,
        producer: &Peer,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult<DemandMode>> + Send {
        let _ = (producer, out);
        ready(Ok(DemandMode::Automatic))
    }

    /// Called when a subscription to a producer has ended and all events that
    /// arrived over it have been handled. Does nothing by default.
    fn handle_producer_cancel(
        &mut self,
        producer: &Peer,
        outcome: &Outcome,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (producer, outcome, out);
        ready(Ok(()))
    }

    /// Called when a consumer has subscribed. Does nothing by default.
    fn handle_subscribe(
        &mut self,
        consumer: &Peer,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (consumer, out);
        ready(Ok(()))
    }

    /// Called when a consumer's subscription has ended. Does nothing by
    /// default.
    fn handle_cancel(
        &mut self,
        consumer: &Peer,
        outcome: &Outcome,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (consumer, outcome, out);
        ready(Ok(()))
    }

    /// Called with events that a consumer was sent and did not handle, oldest
    /// first, before they are buffered. The stage takes those that are not to be
    /// sent again, such as a message whose lease it gives up; what is left in
    /// `returned` goes to the front of the buffer, and from there to whoever has
    /// asked. Takes nothing by default.
    ///
    /// Events that the dispatcher has delivered to others too, as
    /// `Broadcast` has, are not returned. Events that this handler takes count
    /// as `taken_back` in the statistics.
    fn handle_returned(
        &mut self,
        returned: &mut Batch<Self::Out>,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (returned, out);
        ready(Ok(()))
    }

    /// Called when the [waker](super::Context::waker) of this stage has been
    /// woken or the delay of [`wake_after`](super::Context::wake_after) has
    /// passed, with or without demand. It never waits behind input or buffered
    /// events. What it emits waits in the buffer like any event that was not
    /// asked for. Does nothing by default.
    fn handle_wake(
        &mut self,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = out;
        ready(Ok(()))
    }

    /// Called when the pipeline drains, once for each state of the stage:
    /// subscriptions to producers outside of the pipeline are cancelled, what
    /// has arrived is still handled, and
    /// [`handle_complete`](Self::handle_complete) follows. Does nothing by
    /// default.
    fn handle_drain(
        &mut self,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = out;
        ready(Ok(()))
    }

    /// Called with an info, in its turn among the events. Does nothing by
    /// default.
    fn handle_info(
        &mut self,
        info: Info,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (info, out);
        ready(Ok(()))
    }

    /// Called when all producers have completed and all their events have been
    /// handled: the last opportunity to emit gathered events. Does nothing by
    /// default.
    fn handle_complete(
        &mut self,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = out;
        ready(Ok(()))
    }

    /// Returns whether the stage may end as completed, once its input has ended,
    /// [`handle_complete`](Self::handle_complete) has returned, and everything it
    /// emitted has been handled; asked again after every call of a handler.
    /// `true` by default.
    ///
    /// A stage that returns `false` stays alive: it is woken and gets messages,
    /// and is given no events. A stage that works in tasks of its own returns
    /// `false` until the last one is done, and emits their results in
    /// [`handle_wake`](Self::handle_wake). A drain waits for it until its
    /// deadline.
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
