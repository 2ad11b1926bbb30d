//! [`Failed`]: the error of a handler, and what is to become of the message.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use stages::BoxError;

use crate::ack::Verdict;

/// The failure of a message: an error, and a verdict if the handler has chosen one.
///
/// Any error converts into it, so `?` works in handlers. Without a verdict of its own the
/// [`Retry`](crate::policy::Retry) policy of the pipeline decides.
///
/// ```
/// use stage_pipeline::{Failed, Message};
///
/// fn parse(message: &Message<String>) -> Result<u64, Failed> {
///     // Another attempt would not help.
///     message.data.parse().map_err(Failed::reject)
/// }
/// # let _ = parse;
/// ```
///
/// It is no `std::error::Error` itself, for the conversion could not exist then.
#[derive(Clone)]
pub struct Failed {
    error: Arc<BoxError>,
    verdict: Option<Verdict>,
}

impl Failed {
    /// Fails the message; the retry policy decides what becomes of it.
    pub fn new(error: impl Into<BoxError>) -> Self {
        Self {
            error: Arc::new(error.into()),
            verdict: None,
        }
    }

    /// Fails the message for good: it becomes a dead letter at once.
    pub fn reject(error: impl Into<BoxError>) -> Self {
        Self::new(error).with(Verdict::Reject)
    }

    /// Fails the message, to be delivered again after `delay`. At its last delivery it
    /// becomes a dead letter all the same; [`release`](Self::release) does not count.
    pub fn retry_after(delay: Duration, error: impl Into<BoxError>) -> Self {
        Self::new(error).with(Verdict::Retry(delay))
    }

    /// Gives the message back as if nobody had tried it.
    pub fn release(error: impl Into<BoxError>) -> Self {
        Self::new(error).with(Verdict::Release)
    }

    const fn with(mut self, verdict: Verdict) -> Self {
        self.verdict = Some(verdict);
        self
    }

    /// Returns the error.
    #[must_use]
    pub fn error(&self) -> &BoxError {
        &self.error
    }

    /// Returns the verdict that the handler has chosen.
    #[must_use]
    pub const fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }
}

impl<E: Into<BoxError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failed")
            .field("error", &format_args!("{}", self.error))
            .field("verdict", &self.verdict)
            .finish()
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}
