//! Typed messages to a running stage.

use std::future::Future;

use super::Emitter;
use crate::StageResult;

/// A stage that takes messages of type `M`.
///
/// A message is answered between batches, never during one. It may emit
/// events; the reply leaves after they were dispatched.
///
/// ```
/// use stage_core::{Emitter, Handle, StageResult};
///
/// struct Counter(u64);
///
/// /// Starts counting from another number and answers with the old one.
/// struct Reset(u64);
///
/// impl Handle<Reset> for Counter {
///     type Event = u64;
///     type Reply = u64;
///
///     async fn handle(
///         &mut self,
///         Reset(next): Reset,
///         _out: &mut Emitter<'_, u64>,
///     ) -> StageResult<u64> {
///         Ok(std::mem::replace(&mut self.0, next))
///     }
/// }
/// ```
///
/// A stage that emits nothing, a consumer, says
/// `type Event = std::convert::Infallible`: there is no value of that type,
/// so it cannot emit one.
///
/// # Errors
///
/// An `Err` ends the stage, as from any handler; who called gets to know.
///
/// Source: `handle_call/3` and `handle_cast/2` of GenStage.
pub trait Handle<M>: Send + 'static {
    /// What the stage emits.
    type Event: Send + 'static;
    /// What a call is answered with; nobody sees it after a cast.
    type Reply: Send + 'static;

    /// Handles one message.
    fn handle(
        &mut self,
        message: M,
        out: &mut Emitter<'_, Self::Event>,
    ) -> impl Future<Output = StageResult<Self::Reply>> + Send;
}
