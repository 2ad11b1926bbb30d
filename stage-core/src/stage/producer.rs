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
    /// emitted yet, but at most 10,000. Fewer are fine, more are buffered. A
    /// producer that emits 10,000 is called for the next ones.
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

    /// The pipeline drains: the source is to take nothing new in. Completes the
    /// stage by default, as [`Context::complete`](super::Context::complete) does.
    ///
    /// A source that has taken in what it must not lose, such as a channel, does
    /// not complete yet: it stops taking in, is asked for events as before, and
    /// completes when it has emitted all of them. When it has no consumer any
    /// more it ends all the same, as cancelled. Called once for each state of the
    /// stage.
    fn handle_drain(
        &mut self,
        out: &mut Emitter<'_, Self::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        out.complete();
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

    /// How many events the stage has taken in and not emitted, 0 by default:
    /// what is in a channel that it reads from, for example. Read when the stage
    /// comes to rest, and after `terminate`; what a stage holds then counts as
    /// discarded.
    fn held(&self) -> usize {
        0
    }

    /// The stage has ended; the last call it gets. Does nothing by default.
    fn terminate(&mut self, outcome: &Outcome) -> impl Future<Output = ()> + Send {
        let _ = outcome;
        ready(())
    }
}
