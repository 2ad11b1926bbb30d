//! [`Acknowledger`]: carries verdicts to the origin of messages.

use std::sync::Arc;

use futures::future::BoxFuture;
use stages::BoxError;

use super::Settled;

/// Carries verdicts on messages to their origin: a queue, a broker, a caller.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use futures::future::{BoxFuture, FutureExt};
/// use stage_pipeline::{AckError, Acknowledger, Settled, Verdict};
///
/// /// Counts what was acknowledged.
/// #[derive(Default)]
/// struct Counting(AtomicUsize);
///
/// impl Acknowledger for Counting {
///     fn settle<'a>(&'a self, settled: &'a mut [Settled]) -> BoxFuture<'a, Result<(), AckError>> {
///         let acked = settled.iter().filter(|one| one.verdict == Verdict::Ack).count();
///         self.0.fetch_add(acked, Ordering::Relaxed);
///         async { Ok(()) }.boxed()
///     }
///
///     fn abandon(&self, _: Settled) {}
/// }
/// ```
///
/// Source: `Broadway.Acknowledger`, whose `ack/3` has neither an error nor an answer.
pub trait Acknowledger: Send + Sync + 'static {
    /// Carries out verdicts, in order. One call for each origin and batch.
    ///
    /// The stage that settles awaits it, so a slow origin slows down those who settle,
    /// and no verdict waits in a queue that could be full. A delivery that is not current
    /// any more is marked as [`stale`](Settled::stale), and nothing else is done with it.
    ///
    /// # Errors
    ///
    /// [`AckError`] when the origin could not be told. The pipeline traces it, counts the
    /// messages as expired and goes on: the origin delivers them again.
    fn settle<'a>(&'a self, settled: &'a mut [Settled]) -> BoxFuture<'a, Result<(), AckError>>;

    /// Takes the verdict on a message that was dropped, from its destructor: on any
    /// thread, with or without a runtime. It must not block. The verdict is never
    /// [`Ack`](super::Verdict::Ack).
    ///
    /// Typical: put it where the next call of the [`Source`](crate::Source) finds it, and
    /// wake the source.
    fn abandon(&self, settled: Settled);

    /// Returns the name of the origin, for dead letters and traces. `origin` by default.
    fn name(&self) -> Arc<str> {
        "origin".into()
    }
}

/// An origin could not be told of verdicts.
#[derive(Debug, thiserror::Error)]
#[error(
    "the verdicts on {count} messages did not reach {origin}, which delivers them again: {cause}"
)]
#[non_exhaustive]
pub struct AckError {
    /// The origin.
    pub origin: String,
    /// The number of messages.
    pub count: usize,
    /// What went wrong.
    pub cause: BoxError,
}

impl AckError {
    /// Returns an error for `count` messages of `origin`.
    pub fn new(origin: impl Into<String>, count: usize, cause: impl Into<BoxError>) -> Self {
        Self {
            origin: origin.into(),
            count,
            cause: cause.into(),
        }
    }
}
