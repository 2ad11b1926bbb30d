//! [`DeadLetterSink`]: takes messages that are not delivered any more.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use stages::StageResult;

use crate::guarantee::Guarantee;
use crate::message::Metadata;

/// A message that is not delivered any more, and why.
#[non_exhaustive]
pub struct DeadLetter {
    /// The source that the message came from.
    pub origin: Arc<str>,
    /// The number of the message at its origin.
    pub id: u64,
    /// The step or batcher where it failed last, or `lease` if it was delivered too often
    /// without ever being settled.
    pub step: Arc<str>,
    /// The error of its last attempt.
    pub reason: Arc<str>,
    /// What the origin said about it.
    pub metadata: Metadata,
    /// The data, of the type that it had at that step.
    pub data: Box<dyn Any + Send>,
}

impl DeadLetter {
    /// Returns the data, if it is of type `T`: the type that messages have at
    /// [`step`](Self::step).
    #[must_use]
    pub fn data<T: 'static>(&self) -> Option<&T> {
        self.data.downcast_ref()
    }
}

impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("origin", &self.origin)
            .field("id", &self.id)
            .field("step", &self.step)
            .field("reason", &self.reason)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

/// Takes messages that are not delivered any more: they exhausted their
/// [`Retry`](crate::policy::Retry) policy, or were [rejected](crate::Failed::reject).
///
/// ```
/// use stage_pipeline::{DeadLetter, DeadLetterSink};
/// use stages::StageResult;
///
/// struct Print;
///
/// impl DeadLetterSink for Print {
///     async fn send(&mut self, letters: &mut Vec<DeadLetter>) -> StageResult {
///         for letter in letters {
///             println!("message {} of {}: {}", letter.id, letter.origin, letter.reason);
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait DeadLetterSink: Send + 'static {
    /// What the sink promises when it returns `Ok`. [`Guarantee::Durable`] by default.
    const GUARANTEE: Guarantee = Guarantee::Durable;

    /// Takes dead letters. When it returns `Ok`, all of them are in safety, and their
    /// messages are rejected at their origins.
    ///
    /// # Errors
    ///
    /// The messages are retried, and become dead letters again: none is lost.
    fn send(&mut self, letters: &mut Vec<DeadLetter>) -> impl Future<Output = StageResult> + Send;
}

/// Traces dead letters at the level `error`, and keeps none: for pipelines whose messages
/// may be thrown away.
#[derive(Debug, Clone, Copy, Default)]
pub struct TraceDeadLetters;

impl DeadLetterSink for TraceDeadLetters {
    const GUARANTEE: Guarantee = Guarantee::AtMostOnce;

    async fn send(&mut self, letters: &mut Vec<DeadLetter>) -> StageResult {
        for letter in letters {
            tracing::error!(
                origin = %letter.origin,
                id = letter.id,
                step = %letter.step,
                deliveries = letter.metadata.deliveries(),
                reason = %letter.reason,
                "a message is dead"
            );
        }
        Ok(())
    }
}
