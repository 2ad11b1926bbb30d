//! How a stage's loop is left, and what in it is seldom.

use std::future::Future;
use std::ops::ControlFlow;

use futures::future::BoxFuture;

use stage_core::{Failure, Outcome, Reason};

/// Why the loop of a stage was left.
#[derive(Debug)]
pub(crate) enum Exit {
    /// The stage has come to its end.
    Over(Outcome),
    /// One of its handlers failed.
    Failed(Failure),
    /// The user's code in its dispatcher panicked.
    Broken(Failure),
    /// It said itself that it is complete, and everything is delivered.
    Finished,
    /// Its group has it start over.
    Restart(Reason),
}

/// What a step of the loop returns: go on, or leave it.
pub(crate) type Flow<T = ()> = ControlFlow<Exit, T>;

/// The same flow; has the compiler put what happens at a break out of the way.
#[inline(always)]
pub(crate) fn likely_continue<T>(flow: Flow<T>) -> Flow<T> {
    if flow.is_break() {
        cold_path();
    }
    flow
}

/// What calls this is out of the way of what does not.
#[cold]
#[inline]
pub(crate) const fn cold_path() {}

/// Boxes what is awaited so seldom that it is to be in the way neither of the
/// stage's state nor of the code that runs all the time.
#[cold]
#[inline(never)]
pub(crate) fn boxed_cold<'a, T>(future: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    Box::pin(future)
}
