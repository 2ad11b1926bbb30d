//! The [`Producer`] trait: a stage that emits events.

use std::future::{Future, ready};

use super::{Emitter, Info};
use crate::{Batch, Outcome, Peer, StageResult};

/// A stage that emits events when it is asked for them.
///
/// One method is required, a plain `async fn`:
///
/// ```
/// use stage_core::{Emitter, Producer, StageResult};
///
/// struct Counter(u64);
///
/// impl Producer for Counter {
///     type Event = u64;
///
///     async fn handle_demand(
///         &mut self,
///         demand: usize,
///         out: &mut Emitter<'_, u64>,
///     ) -> StageResult {
///         out.extend((self.0..).take(demand));
///         self.0 += demand as u64;
///         Ok(())
///     }
/// }
/// ```
///
/// While a handler awaits, its stage does nothing else: it accepts no
/// subscription and handles no message. A producer that has to wait for its
/// source returns instead, and is called again; see [`Emitter`].
///
/// # Errors
///
/// An `Err` or a panic of any handler ends the stage as [`Outcome::Failed`].
/// Events that the handler emitted before stay emitted.
///
/// Source: the callbacks of a `:producer` in GenStage.
pub trait Producer: Send + 'static {
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
    fn handle_start(
        &mut self,
        out: &mut Emitter<'_, Self::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = out;
        ready(Ok(()))
    }

    /// Emits up to `demand` events.
    ///
    /// `demand` is the total of unmet demand (asked for and not yet emitted),
    /// at least 1 and at most 10,000 events. A producer that emits 10,000 is
    /// called again for the rest. It may emit fewer, which leaves the
    /// difference unmet, or more, which are buffered.
    fn handle_demand(
        &mut self,
        demand: usize,
        out: &mut Emitter<'_, Self::Event>,
    ) -> impl Future<Output = StageResult> + Send;

    /// Called when a consumer has subscribed. Does nothing by default.
    fn handle_subscribe(
        &mut self,
        consumer: &Peer,
        out: &mut Emitter<'_, Self::Event>,
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
        out: &mut Emitter<'_, Self::Event>,
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
        returned: &mut Batch<Self::Event>,
        out: &mut Emitter<'_, Self::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (returned, out);
        ready(Ok(()))
    }

    /// Called when the [waker](super::Context::waker) of this stage has been
    /// woken or the delay of [`wake_after`](super::Context::wake_after) has
    /// passed, with or without demand. It never waits behind input or buffered
    /// events. What it emits waits in the buffer like any event that was not
    /// asked for. Does nothing by default.
    ///
    /// If demand is unmet, [`handle_demand`](Self::handle_demand) is called
    /// after it, so a source that only answers demand need not implement this.
    fn handle_wake(
        &mut self,
        out: &mut Emitter<'_, Self::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = out;
        ready(Ok(()))
    }

    /// Called with an info, in its turn among the events. Does nothing by
    /// default.
    fn handle_info(
        &mut self,
        info: Info,
        out: &mut Emitter<'_, Self::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (info, out);
        ready(Ok(()))
    }

    /// Called when the pipeline drains: the source must take in no more input.
    /// By default it completes the stage, as
    /// [`Context::complete`](super::Context::complete) does.
    ///
    /// A source with input that it must not lose, such as a channel, does not
    /// complete yet: it closes its input, is asked for events as before, and
    /// completes when it has emitted all of them. If no consumer is left, the
    /// stage ends nevertheless, as cancelled. Called once for each state of the
    /// stage: a stage that restarts is called again. Not called for a stage that
    /// has completed before the drain and waits for
    /// [`may_complete`](Self::may_complete). Also called, without a drain, for the
    /// new state of a source that has completed and then restarts: it is asked for
    /// nothing, and must give up what it took in when it started.
    fn handle_drain(
        &mut self,
        out: &mut Emitter<'_, Self::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        out.complete();
        ready(Ok(()))
    }

    /// Returns whether the stage may end as completed, once it has called
    /// [`complete`](super::Context::complete) and everything it emitted has been
    /// handled; asked again after every call of a handler. `true` by default.
    ///
    /// A stage that returns `false` stays alive: it is woken and gets messages,
    /// and is asked for nothing. A source whose messages are acknowledged later
    /// returns `false` until the last one is. A drain waits for it until its
    /// deadline.
    ///
    /// The consumers do not wait for it. Once everything has been handled, their
    /// subscriptions end as completed, also while this method returns `false`. So
    /// a consumer that gathers, such as a batcher, emits what this stage waits
    /// for. The consumers are not told how the stage ends after that, and
    /// [`handle_cancel`](Self::handle_cancel) is not called for them, as at the
    /// end of a stage. A new subscription is refused as with a stage that has
    /// completed. Events that the stage still emits are discarded at once: they are
    /// counted, and given to the hook `shed` or traced. So a source says
    /// `complete` when it has emitted everything. If the stage is to restart when
    /// it has completed, the subscriptions go on with its next state and do not
    /// end.
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

    /// Returns the number of events that the stage has taken in and not
    /// emitted, such as the contents of a channel that it reads from. 0 by
    /// default.
    ///
    /// Called when the stage comes to rest, and after `terminate`; events that
    /// it then holds count as discarded.
    fn held(&self) -> usize {
        0
    }

    /// Called last, when the stage has ended. Does nothing by default.
    fn terminate(&mut self, outcome: &Outcome) -> impl Future<Output = ()> + Send {
        let _ = outcome;
        ready(())
    }
}
