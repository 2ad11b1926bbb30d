//! The [`Handler`] trait: typed messages to a running stage.

use std::convert::Infallible;
use std::future::Future;

use super::Emitter;
use crate::StageResult;

/// A stage that handles messages of type `M` and emits events of type `E`.
///
/// A message is handled between batches, never during one. The handler may emit
/// events; they are dispatched before the reply is sent.
///
/// ```
/// use stage_core::{Emitter, Handler, StageResult};
///
/// struct Counter(u64);
///
/// /// Starts counting from another number and answers with the old one.
/// struct Reset(u64);
///
/// impl Handler<Reset, u64> for Counter {
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
/// A consumer emits nothing and omits `E`, which is [`Infallible`] by default.
/// Its handler gets an `&mut Emitter<'_>`, which serves only as a
/// [`Context`](super::Context).
///
/// # Errors
///
/// An `Err` ends the stage, as from any handler; the caller gets an error too.
///
/// Source: `handle_call/3` and `handle_cast/2` of GenStage.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle messages of type `{M}`",
    label = "no `Handler<{M}>` for this stage, or one that emits other events",
    note = "implement `Handler<{M}>` for a consumer, `Handler<{M}, {E}>` for a stage that emits `{E}`"
)]
pub trait Handler<M, E = Infallible>: Send + 'static {
    /// The reply to a call; discarded after a cast.
    type Reply: Send + 'static;

    /// Handles one message.
    fn handle(
        &mut self,
        message: M,
        out: &mut Emitter<'_, E>,
    ) -> impl Future<Output = StageResult<Self::Reply>> + Send;
}
