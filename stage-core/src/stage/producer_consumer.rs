//! A stage that handles events and emits others.

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
/// It handles a batch only while its own consumers have unmet demand, so a
/// slow consumer slows it down, and with it the producers above. It may emit
/// more or fewer events than it handled; what is not asked for yet waits in
/// its buffer, which has no bound of its own because its input is bounded by
/// demand.
///
/// # Errors
///
/// As for [`Producer`](super::Producer) and [`Consumer`](super::Consumer).
///
/// Source: the callbacks of a `:producer_consumer` in GenStage.
pub trait ProducerConsumer: Send + 'static {
    /// What it handles.
    type In: Send + 'static;
    /// What it emits.
    type Out: Send + 'static;

    /// Handles a batch: at least one event, at most `max_demand - min_demand`.
    fn handle_events(
        &mut self,
        events: &mut Batch<Self::In>,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send;

    /// A subscription to a producer begins; says who asks for its events.
    /// [`DemandMode::Automatic`] by default.
    fn handle_producer_subscribe(
        &mut self,
        producer: &Peer,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult<DemandMode>> + Send {
        let _ = (producer, out);
        ready(Ok(DemandMode::Automatic))
    }

    /// A subscription to a producer has ended, and everything that arrived
    /// over it has been handled. Does nothing by default.
    fn handle_producer_cancel(
        &mut self,
        producer: &Peer,
        outcome: &Outcome,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (producer, outcome, out);
        ready(Ok(()))
    }

    /// A consumer has subscribed. Does nothing by default.
    fn handle_subscribe(
        &mut self,
        consumer: &Peer,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (consumer, out);
        ready(Ok(()))
    }

    /// A consumer's subscription has ended. Does nothing by default.
    fn handle_cancel(
        &mut self,
        consumer: &Peer,
        outcome: &Outcome,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (consumer, outcome, out);
        ready(Ok(()))
    }

    /// An info's turn has come. Does nothing by default.
    fn handle_info(
        &mut self,
        info: Info,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (info, out);
        ready(Ok(()))
    }

    /// All producers have completed and all their events were handled: the
    /// last chance to emit what the stage has gathered. Does nothing by
    /// default.
    fn handle_complete(
        &mut self,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = out;
        ready(Ok(()))
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
