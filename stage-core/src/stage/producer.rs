//! A stage that emits events.

use std::future::{Future, ready};

use super::{Emitter, Info};
use crate::{Outcome, Peer, StageResult};

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
/// While a handler awaits, its stage does nothing else: it takes no
/// subscription and answers no message. A producer that has to wait for its
/// source returns and is called again; [`Emitter`] says how.
///
/// # Errors
///
/// An `Err` from any handler ends the stage as [`Outcome::Failed`], and so
/// does a panic. What the handler emitted before stays emitted.
///
/// Source: the callbacks of a `:producer` in GenStage.
pub trait Producer: Send + 'static {
    /// What it emits.
    type Event: Send + 'static;

    /// Emits up to `demand` events: the total that is asked for and not
    /// emitted yet. Fewer are fine, more are buffered.
    fn handle_demand(
        &mut self,
        demand: usize,
        out: &mut Emitter<'_, Self::Event>,
    ) -> impl Future<Output = StageResult> + Send;

    /// A consumer has subscribed. Does nothing by default.
    fn handle_subscribe(
        &mut self,
        consumer: &Peer,
        out: &mut Emitter<'_, Self::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (consumer, out);
        ready(Ok(()))
    }

    /// A consumer's subscription has ended. Does nothing by default.
    fn handle_cancel(
        &mut self,
        consumer: &Peer,
        outcome: &Outcome,
        out: &mut Emitter<'_, Self::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (consumer, outcome, out);
        ready(Ok(()))
    }

    /// An info's turn has come. Does nothing by default.
    fn handle_info(
        &mut self,
        info: Info,
        out: &mut Emitter<'_, Self::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (info, out);
        ready(Ok(()))
    }

    /// The stage has ended; the last call it gets. Does nothing by default.
    fn terminate(&mut self, outcome: &Outcome) -> impl Future<Output = ()> + Send {
        let _ = outcome;
        ready(())
    }
}
