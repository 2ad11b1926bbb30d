//! Async closures that cannot fail, run by the operators whose closures can.

use futures::FutureExt;
use futures::future::Map;
use stage_core::StageResult;

/// A future that wraps the output of `Fut` in `Ok`.
pub(super) type Infallible<Fut> =
    Map<Fut, fn(<Fut as Future>::Output) -> StageResult<<Fut as Future>::Output>>;

/// Wraps what the futures of `f` return in `Ok`.
pub(super) fn infallible<I, Fut: Future>(
    mut f: impl FnMut(I) -> Fut + Send + 'static,
) -> impl FnMut(I) -> Infallible<Fut> + Send + 'static {
    move |event| f(event).map(Ok as fn(Fut::Output) -> StageResult<Fut::Output>)
}
