//! [`Command`]: what callers ask the writer to do.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Group, TopicState};
use crate::error::StoreError;
use crate::store::Fsync;
use crate::{Enqueued, NewMessage, QueueError};

/// The outcome of a command: of the caller's making, or of the store's, which ends the group
/// and the queue.
pub(crate) type Outcome<T> = Result<Result<T, QueueError>, StoreError>;

/// What callers ask the writer to do.
pub(super) enum Command {
    Enqueue(Enqueue),
    Run { sync: Fsync, work: Box<dyn Work> },
    Close(oneshot::Sender<Result<(), QueueError>>),
}

/// Messages to enqueue, all or none.
pub(super) struct Enqueue {
    pub(super) topic: Arc<TopicState>,
    pub(super) messages: Vec<NewMessage>,
    pub(super) answer: oneshot::Sender<Result<Vec<Enqueued>, QueueError>>,
}

/// A command in two steps: what it does within the transaction, and its answer after the
/// commit.
pub(super) trait Work: Send {
    fn run(&mut self, group: &mut Group<'_>) -> Result<(), StoreError>;
    /// Tells the caller. `failed` is why the group was not committed.
    fn answer(self: Box<Self>, failed: Option<QueueError>);
}

/// A command from a closure.
pub(super) struct Call<F, T> {
    pub(super) work: Option<F>,
    pub(super) outcome: Option<Result<T, QueueError>>,
    /// None if nobody waits for the outcome.
    pub(super) answer: Option<oneshot::Sender<Result<T, QueueError>>>,
}

impl<F, T> Work for Call<F, T>
where
    F: FnOnce(&mut Group<'_>) -> Outcome<T> + Send,
    T: Send,
{
    fn run(&mut self, group: &mut Group<'_>) -> Result<(), StoreError> {
        if let Some(work) = self.work.take() {
            self.outcome = Some(work(group)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, failed: Option<QueueError>) {
        let outcome = match (failed, self.outcome) {
            (Some(error), _) => Err(error),
            (None, Some(outcome)) => outcome,
            (None, None) => Err(QueueError::Closed),
        };
        match self.answer {
            // The caller may have gone: what it leased is released by its destructor.
            Some(answer) => drop(answer.send(outcome)),
            None => {
                if let Err(error) = outcome {
                    tracing::error!(%error, "a command that nobody waits for has failed");
                }
            }
        }
    }
}
