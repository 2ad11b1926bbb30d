//! Errors of building, resizing and draining a pipeline.

use std::fmt;

use stages::{DrainError, SpawnError, SubscribeError};

use super::{Edge, OriginReport};
use crate::batch::BatchLimitError;
use crate::guarantee::Guarantee;
use crate::policy::RetryError;

/// A pipeline cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is no source.
    #[error("pipeline `{pipeline}` has no source: add one with `source`")]
    NoSource {
        /// The pipeline.
        pipeline: String,
    },
    /// Messages can become dead letters, and nobody takes them.
    #[error(
        "pipeline `{pipeline}` can give up on messages, and source `{source_name}` does not keep them: \
         name a sink with `dead_letters`, or retry without end with `retry(Retry::forever())`"
    )]
    NoDeadLetters {
        /// The pipeline.
        pipeline: String,
        /// The source.
        source_name: String,
    },
    /// A pipeline that keeps the order of keys has a source that does not.
    #[error(
        "pipeline `{pipeline}` keeps messages of one key in order, and source `{source_name}` \
         does not: it could deliver a later message while an earlier one waits to be retried"
    )]
    Unordered {
        /// The pipeline.
        pipeline: String,
        /// The source.
        source_name: String,
    },
    /// An edge gives a weaker guarantee than the one that was required.
    #[error("pipeline `{pipeline}` requires that messages are processed {required}, and {edge}")]
    WeakGuarantee {
        /// The pipeline.
        pipeline: String,
        /// What was required.
        required: Guarantee,
        /// The weakest edge.
        edge: Edge,
    },
    /// Two steps or batchers have the same name.
    #[error(
        "pipeline `{pipeline}` has two parts with the name `{name}`: each step and batcher needs its own"
    )]
    DuplicateName {
        /// The pipeline.
        pipeline: String,
        /// The name.
        name: String,
    },
    /// A pool without members.
    #[error("`{name}` has a concurrency of 0; the least is 1")]
    NoConcurrency {
        /// The step or batcher.
        name: String,
    },
    /// A source that may lease nothing.
    #[error("pipeline `{pipeline}` has a limit of 0 unsettled messages; the least is 1")]
    NoneInFlight {
        /// The pipeline.
        pipeline: String,
    },
    /// The retry policy is invalid.
    #[error("pipeline `{pipeline}`: {cause}")]
    Retry {
        /// The pipeline.
        pipeline: String,
        /// What is wrong.
        cause: RetryError,
    },
    /// The limits of a batcher are invalid.
    #[error("batcher `{batcher}`: {cause}")]
    Batcher {
        /// The batcher.
        batcher: String,
        /// What is wrong.
        cause: BatchLimitError,
    },
    /// A stage could not be spawned.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// Partitions could not be made.
    #[error(transparent)]
    Stages(#[from] stages::Error),
}

/// A pool cannot have another number of members.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResizeError {
    /// There is no step of this name.
    #[error("there is no step `{step}`; the steps are {known}")]
    Unknown {
        /// The name.
        step: String,
        /// The steps that there are.
        known: String,
    },
    /// The messages of the step are partitioned.
    #[error(
        "step `{step}` has as many members as its messages have partitions: start the pipeline with another concurrency"
    )]
    Partitioned {
        /// The step.
        step: String,
    },
    /// No member would be left.
    #[error("step `{step}` cannot have 0 members; the least is 1")]
    Empty {
        /// The step.
        step: String,
    },
    /// The pipeline ends.
    #[error("step `{step}` does not grow any more: {cause}")]
    Ending {
        /// The step.
        step: String,
        /// What ended.
        cause: SubscribeError,
    },
    /// A member could not be spawned.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// A member could not be made.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// A drain did not end by its deadline.
#[derive(Debug)]
#[non_exhaustive]
pub struct UndrainedError {
    /// What was left, by stage.
    pub stages: DrainError,
    /// What became of the messages, by origin. Those that were unsettled at the deadline
    /// have been released or retried.
    pub origins: Vec<OriginReport>,
}

impl fmt::Display for UndrainedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.stages)?;
        for origin in &self.origins {
            write!(f, "; {origin}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UndrainedError {}

/// A pipeline did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A stage failed for good, or the pipeline was stopped.
    #[error(transparent)]
    Ended(#[from] stages::Error),
    /// The drain did not end by its deadline.
    #[error(transparent)]
    Undrained(#[from] UndrainedError),
}
