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

impl Command {
    fn sync(&self) -> Fsync {
        match self {
            Self::Enqueue(_) => Fsync::Wait,
            Self::Run { sync, .. } => *sync,
            Self::Close(_) => Fsync::Skip,
        }
    }
}

/// What the commit of a group has to be: as strong as the strongest of its commands. Those who
/// wait for room may get it from any group, and are told that their messages are on the disk.
pub(super) fn strongest(commands: &[Command], some_wait_for_room: bool) -> Fsync {
    let least = if some_wait_for_room {
        Fsync::Wait
    } else {
        Fsync::Skip
    };
    commands.iter().map(Command::sync).fold(least, Fsync::max)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn run(sync: Fsync) -> Command {
        let work = |_: &mut Group<'_>| Ok(Ok(()));
        let work = Box::new(Call {
            work: Some(work),
            outcome: None,
            answer: None,
        });
        Command::Run { sync, work }
    }

    #[test]
    fn one_command_that_waits_for_the_disk_makes_its_group_wait() {
        use Fsync::{Skip, Wait};
        for (group, expected) in [
            (vec![], Skip),
            (vec![Skip, Skip], Skip),
            (vec![Wait, Skip], Wait),
            (vec![Skip, Wait, Skip], Wait),
        ] {
            let commands: Vec<_> = group.iter().copied().map(run).collect();
            assert_eq!(strongest(&commands, false), expected, "{group:?}");
        }
    }

    /// A lease buries a message, and that makes room for somebody who waits.
    #[test]
    fn a_group_that_may_enqueue_what_waited_for_room_waits_for_the_disk() {
        assert_eq!(strongest(&[], true), Fsync::Wait);
        assert_eq!(strongest(&[run(Fsync::Skip)], true), Fsync::Wait);
    }
}
