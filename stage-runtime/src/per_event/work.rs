//! The closures that create the futures of children.

use std::fmt;
use std::future::Future;

use stage_core::StageResult;

use super::ShutdownSignal;

/// Creates the future of a child from its event. Implemented for [`Plain`] and
/// [`WithSignal`] only.
pub trait ChildWork<E>: sealed::Sealed + Send + 'static {
    /// The future that the child's task runs.
    type Future: Future<Output = StageResult> + Send + 'static;

    /// Whether children get a signal.
    const SIGNALLED: bool;

    /// Returns the future of the child for `event`.
    fn start(&mut self, event: E, signal: ShutdownSignal) -> Self::Future;
}

/// A closure that takes the event; created by [`per_event`](super::per_event).
pub struct Plain<F>(pub(super) F);

/// A closure that takes the event and a [`ShutdownSignal`]; created by
/// [`per_event_with`](super::per_event_with).
pub struct WithSignal<F>(pub(super) F);

impl<F, Fut, E> ChildWork<E> for Plain<F>
where
    F: FnMut(E) -> Fut + Send + 'static,
    Fut: Future<Output = StageResult> + Send + 'static,
{
    type Future = Fut;

    const SIGNALLED: bool = false;

    fn start(&mut self, event: E, _signal: ShutdownSignal) -> Fut {
        (self.0)(event)
    }
}

impl<F, Fut, E> ChildWork<E> for WithSignal<F>
where
    F: FnMut(E, ShutdownSignal) -> Fut + Send + 'static,
    Fut: Future<Output = StageResult> + Send + 'static,
{
    type Future = Fut;

    const SIGNALLED: bool = true;

    fn start(&mut self, event: E, signal: ShutdownSignal) -> Fut {
        (self.0)(event, signal)
    }
}

impl<F> fmt::Debug for Plain<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plain")
    }
}

impl<F> fmt::Debug for WithSignal<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WithSignal")
    }
}

mod sealed {
    pub trait Sealed {}
    impl<F> Sealed for super::Plain<F> {}
    impl<F> Sealed for super::WithSignal<F> {}
}
