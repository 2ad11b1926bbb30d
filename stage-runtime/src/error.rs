//! The error types of the crate.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use stage_core::{BoxError, DemandError, Failure, Outcome, Reason, SubscribeError};
use thiserror::Error;

use crate::group::RestartStrategy;

/// The error of a program that builds a pipeline and joins it.
///
/// Every error that a caller of this crate, of `stage-core` or of `stage-dispatchers`
/// can get converts into it. [`PerEventError`](crate::per_event::PerEventError) does
/// not, because it is the error of a handler: the caller gets it inside
/// [`Error::Failed`].
///
/// The text of an error contains its cause. Therefore [`source`](StdError::source)
/// returns the source of the cause, and a printer that follows sources prints nothing
/// twice.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum Error {
    /// The stage was stopped before everything was delivered.
    #[error("stage `{stage}` was cancelled: {reason}")]
    Cancelled {
        /// The name of the stage.
        stage: Arc<str>,
        /// The reason that was given for it.
        reason: Reason,
    },
    /// A handler returned an error or panicked, in this stage or in one that it depended
    /// on. The failure names the stage.
    #[error(transparent)]
    Failed(Failure),
    /// A subscription was not made.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// A stage was not spawned.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// A call got no reply.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A message was not taken. The conversion drops the message.
    #[error(transparent)]
    Cast(CastError<()>),
    /// Demand limits are out of range.
    #[error(transparent)]
    Demand(#[from] DemandError),
    /// A handler tried to wait for the end of its own stage or pipeline.
    #[error(
        "a handler of stage `{stage}` cannot wait for the end of its own stage or pipeline, which would have to wait for the handler; wait in a task of its own"
    )]
    InHandler {
        /// The name of the stage.
        stage: Arc<str>,
    },
    /// A pipeline was not drained in time.
    #[error(transparent)]
    Drain(#[from] crate::pipeline::DrainError),
    /// The options of a `Partition` dispatcher are out of range.
    #[error(transparent)]
    Partition(#[from] stage_dispatchers::PartitionError),
}

impl Error {
    /// Returns the error of a stage that ended with `outcome`; `Ok` if it completed.
    pub(crate) fn check(stage: &Arc<str>, outcome: Outcome) -> Result<(), Self> {
        match outcome {
            Outcome::Completed => Ok(()),
            Outcome::Cancelled(reason) => Err(Self::Cancelled {
                stage: Arc::clone(stage),
                reason,
            }),
            Outcome::Failed(failure) => Err(Self::Failed(failure)),
        }
    }
}

/// Why a stage was not spawned.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The terms of one of its subscriptions are out of range.
    #[error("cannot spawn stage `{stage}`: {error}")]
    Subscription {
        /// The name of the stage.
        stage: Arc<str>,
        /// The error of the subscription.
        error: SubscribeError,
    },
    /// An option of the stage itself is out of range:
    /// [`validate`](stage_core::Producer::validate) returned an error.
    #[error("cannot spawn stage `{stage}`: {error}")]
    Invalid {
        /// The name of the stage.
        stage: Arc<str>,
        /// The error that `validate` returned.
        error: Arc<dyn StdError + Send + Sync>,
    },
    /// An [eager](crate::builder::ProducerConsumerBuilder::eager) stage has a buffer
    /// without a bound.
    #[error(
        "cannot spawn stage `{stage}`: it is eager and its buffer has no bound, so it would keep all that nobody asks for; set `buffer` or `buffer_size`"
    )]
    UnboundedEager {
        /// The name of the stage.
        stage: Arc<str>,
    },
    /// The buffer of the stage shares a [`Budget`](stage_core::Budget), and nothing weighs
    /// its events.
    #[error(
        "cannot spawn stage `{stage}`: its buffer shares a budget of bytes, but its bound is not in bytes, so nothing weighs its events; set `buffer(Bound::Bytes {{ limit, weigh }})`, with a limit of `usize::MAX` for no limit of its own"
    )]
    UnweighedBudget {
        /// The name of the stage.
        stage: Arc<str>,
    },
    /// A stage of that name lives in the pipeline. The name is free again when that stage has
    /// ended.
    #[error(
        "cannot spawn stage `{stage}`: its pipeline has a stage of that name; names are unique among the stages that live, or left out"
    )]
    NameTaken {
        /// The name.
        stage: Arc<str>,
    },
    /// The stages of its group restart together, and this stage is not supervised.
    #[error(
        "cannot spawn stage `{stage}`: all stages of a {strategy:?} group restart together; make it with `supervised(|| …)`"
    )]
    NotSupervised {
        /// The name of the stage.
        stage: Arc<str>,
        /// The group's strategy.
        strategy: RestartStrategy,
    },
    /// No tokio runtime is running on this thread.
    #[error(
        "cannot spawn stage `{stage}`: no tokio runtime is running here; call it from within `#[tokio::main]`, `Runtime::block_on` or `Runtime::enter`"
    )]
    NoRuntime {
        /// The name of the stage.
        stage: Arc<str>,
    },
}

/// Why a message was not taken; gives the message back.
#[derive(Clone, Error)]
#[non_exhaustive]
pub enum CastError<M> {
    /// The stage's mailbox is full: it gets messages faster than it handles them.
    #[error(
        "the mailbox of stage `{stage}` is full ({capacity} messages); await a call, or send less"
    )]
    Full {
        /// The name of the stage.
        stage: Arc<str>,
        /// How many messages its mailbox holds.
        capacity: usize,
        /// The message.
        message: M,
    },
    /// The stage has ended.
    #[error("stage `{stage}` has ended")]
    Ended {
        /// The name of the stage.
        stage: Arc<str>,
        /// The message.
        message: M,
    },
}

impl<M> CastError<M> {
    /// Returns the message that was not taken.
    pub fn into_message(self) -> M {
        match self {
            Self::Full { message, .. } | Self::Ended { message, .. } => message,
        }
    }
}

impl<M> From<CastError<M>> for Error {
    fn from(error: CastError<M>) -> Self {
        Self::Cast(match error {
            CastError::Full {
                stage, capacity, ..
            } => CastError::Full {
                stage,
                capacity,
                message: (),
            },
            CastError::Ended { stage, .. } => CastError::Ended { stage, message: () },
        })
    }
}

impl<M> fmt::Debug for CastError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full {
                stage, capacity, ..
            } => f
                .debug_struct("Full")
                .field("stage", stage)
                .field("capacity", capacity)
                .finish_non_exhaustive(),
            Self::Ended { stage, .. } => f
                .debug_struct("Ended")
                .field("stage", stage)
                .finish_non_exhaustive(),
        }
    }
}

/// Why a call got no reply.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum CallError {
    /// A handler called its own stage, which takes no message until the handler has
    /// returned.
    #[error(
        "a handler of stage `{stage}` cannot call its own stage, which takes no message before the handler has returned; `cast` the message, or call from a task of its own"
    )]
    InHandler {
        /// The name of the stage.
        stage: Arc<str>,
    },
    /// The stage had ended, or it failed or ended before it replied.
    #[error("stage `{stage}` did not reply: its handler failed, or it has ended")]
    Ended {
        /// The name of the stage.
        stage: Arc<str>,
    },
}

/// Returns the outcome of `stage` when it fails for `error`, which no handler returned:
/// wrong options or a refused subscription.
pub(crate) fn refused(stage: &Arc<str>, error: impl Into<BoxError>) -> Outcome {
    Outcome::Failed(Failure::error(Arc::clone(stage), error))
}
