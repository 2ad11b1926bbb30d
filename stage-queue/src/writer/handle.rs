//! [`Writer`]: the callers' end of the writer thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use tokio::sync::oneshot;

use super::command::{Call, Command, Enqueue, Outcome};
use super::thread::{Settings, Thread};
use super::{Group, Logs, TopicState};
use crate::error::{StoreError, StoreErrorKind};
use crate::store::{Fsync, Sqlite};
use crate::watch::Watch;
use crate::{Enqueued, NewMessage, QueueError};

/// The callers' end of the writer thread. The thread ends when the last one is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    commands: Sender<Command>,
    path: Arc<Path>,
    logs: Logs,
}

impl Writer {
    /// Opens the file and starts the thread.
    pub(crate) fn open(path: PathBuf, settings: Settings) -> Result<Self, QueueError> {
        let failed = |cause: StoreError, path: &Path| match cause.kind {
            StoreErrorKind::Damaged => QueueError::Damaged {
                path: path.to_owned(),
                cause,
            },
            StoreErrorKind::NotAQueue => QueueError::NotAQueue {
                path: path.to_owned(),
                reason: cause.message.to_string(),
            },
            _ => QueueError::Open {
                path: path.to_owned(),
                cause,
            },
        };
        let store = Sqlite::open(&path).map_err(|cause| failed(cause, &path))?;
        let (commands, receiver) = channel();
        let path: Arc<Path> = path.into();
        let logs = Logs::default();
        let thread = Thread::new(
            store,
            Arc::clone(&path),
            settings,
            receiver,
            Logs::clone(&logs),
        );
        std::thread::Builder::new()
            .name("stage-queue".into())
            .spawn(move || thread.run())
            .map_err(|error| {
                let cause = StoreError::new(
                    StoreErrorKind::Failed,
                    format!("cannot start the writer thread: {error}"),
                );
                QueueError::Open {
                    path: path.to_path_buf(),
                    cause,
                }
            })?;
        Ok(Self {
            commands,
            path,
            logs,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what changes when a log gets entries.
    pub(crate) fn watch_log(&self, name: &str) -> Arc<Watch> {
        let mut logs = self.logs.lock();
        if let Some(known) = logs.get(name) {
            return Arc::clone(known);
        }
        Arc::clone(logs.entry(name.into()).or_default())
    }

    /// Enqueues messages, all or none.
    pub(crate) async fn enqueue(
        &self,
        topic: Arc<TopicState>,
        messages: Vec<NewMessage>,
    ) -> Result<Vec<Enqueued>, QueueError> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Enqueue(Enqueue {
            topic,
            messages,
            answer,
        }))?;
        answered.await.unwrap_or(Err(QueueError::Closed))
    }

    /// Runs a closure within a transaction, and returns its outcome after the commit.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        sync: Fsync,
        work: impl FnOnce(&mut Group<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        let (answer, answered) = oneshot::channel();
        let work = Box::new(Call {
            work: Some(work),
            outcome: None,
            answer: Some(answer),
        });
        self.send(Command::Run { sync, work })?;
        answered.await.unwrap_or(Err(QueueError::Closed))
    }

    /// Runs a closure within a transaction, some time. Never blocks: the channel has no
    /// bound, and what it can hold is bounded by what is leased.
    pub(crate) fn post(
        &self,
        sync: Fsync,
        work: impl FnOnce(&mut Group<'_>) -> Outcome<()> + Send + 'static,
    ) {
        let work = Box::new(Call {
            work: Some(work),
            outcome: None,
            answer: None,
        });
        if self.send(Command::Run { sync, work }).is_err() {
            tracing::debug!("a verdict came after the queue was closed: the lease has ended");
        }
    }

    /// Ends the thread, after all commands that were sent before.
    pub(crate) async fn close(&self) -> Result<(), QueueError> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Close(answer))?;
        answered.await.unwrap_or(Err(QueueError::Closed))
    }

    fn send(&self, command: Command) -> Result<(), QueueError> {
        self.commands.send(command).map_err(|_| QueueError::Closed)
    }
}
