//! Control flow of the event loop: the exits, and hints for cold paths.

use std::future::Future;
use std::ops::ControlFlow;

use futures::future::BoxFuture;

use stage_core::{Failure, Outcome, Reason};

/// Why the event loop of a stage was left.
#[derive(Debug)]
pub(crate) enum Exit {
    /// The stage ends with this outcome and is not restarted.
    Over(Outcome),
    /// A handler of the stage failed.
    Failed(Failure),
    /// The user's code in the dispatcher panicked. The stage cannot be restarted,
    /// because the state of the dispatcher is not known.
    Broken(Failure),
    /// The stage has called [`Context::complete`](stage_core::Context::complete),
    /// and everything it emitted is settled.
    Finished,
    /// Another stage of the group has failed, and the strategy of the group
    /// restarts this one, too.
    Restart(Reason),
}

/// The result of a step of the loop: continue, or leave by an [`Exit`].
pub(crate) type Flow<T = ()> = ControlFlow<Exit, T>;

/// Returns `flow`; hints to the compiler that a break is cold.
#[inline(always)]
pub(crate) fn likely_continue<T>(flow: Flow<T>) -> Flow<T> {
    if flow.is_break() {
        cold_path();
    }
    flow
}

/// Marks the calling branch as unlikely. Stands in for the unstable
/// `core::hint::cold_path`.
#[cold]
#[inline]
pub(crate) const fn cold_path() {}

/// Boxes a future that is awaited on a cold path. Unboxed, every stage would
/// reserve room for it in its own future, and its code would lie amid the hot
/// path.
#[cold]
#[inline(never)]
pub(crate) fn boxed_cold<'a, T>(future: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    Box::pin(future)
}
