//! [`Log`]: entries that stay.

use std::sync::Arc;

use super::{LogOptions, LogReader, LogSource, StartAt};
use crate::error::StoreError;
use crate::store::{Fsync, LogRow};
use crate::watch::Watch;
use crate::writer::{Group, Writer};
use crate::{MessageId, NewMessage, QueueError};

/// Entries that several groups of consumers read, each at its own pace; from
/// [`Queue::log`](crate::Queue::log). A clone is another handle of the same log.
///
/// ```
/// use stage_queue::{LogOptions, Queue, QueueOptions, StartAt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let queue = Queue::open(dir.path().join("queue.db"), QueueOptions::new())?;
/// let log = queue.log("events", LogOptions::new());
/// log.append_all(["one", "two", "three"]).await?;
///
/// let mut reader = log.group("billing", StartAt::Oldest).await?;
/// let mut entries = Vec::new();
/// reader.read(2, &mut entries).await?;
/// // All up to this one is done, and is not read again by this group.
/// reader.commit(entries[1].id).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Log {
    pub(super) writer: Writer,
    pub(super) name: Arc<str>,
    options: LogOptions,
    /// Changes with each append of this process, and of others within the poll interval.
    pub(super) watch: Arc<Watch>,
}

impl Log {
    pub(crate) fn new(
        writer: Writer,
        name: Arc<str>,
        options: LogOptions,
        watch: Arc<Watch>,
    ) -> Self {
        Self {
            writer,
            name,
            options,
            watch,
        }
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Appends an entry. It is answered when the entry is as durable as
    /// [`Durability`](crate::Durability) says.
    ///
    /// # Errors
    ///
    /// [`QueueError::NotInLogs`] for a message with a priority, a delay or a deduplication
    /// key. [`QueueError::Stopped`], [`QueueError::Damaged`] or [`QueueError::Closed`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the entry may be appended or not.
    pub async fn append(&self, entry: impl Into<NewMessage>) -> Result<MessageId, QueueError> {
        let ids = self.append_all([entry]).await?;
        ids.into_iter().next().ok_or(QueueError::Closed)
    }

    /// Appends entries in one transaction: all of them or none. Returns their numbers.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    ///
    /// # Cancel safety
    ///
    /// As [`append`](Self::append), for all of them.
    pub async fn append_all<M: Into<NewMessage>>(
        &self,
        entries: impl IntoIterator<Item = M>,
    ) -> Result<Vec<MessageId>, QueueError> {
        let entries: Vec<NewMessage> = entries.into_iter().map(Into::into).collect();
        if let Some(what) = entries.iter().find_map(NewMessage::not_in_logs) {
            return Err(QueueError::NotInLogs {
                log: Arc::clone(&self.name),
                what,
            });
        }
        let options = self.options;
        let ids = self.on_disk(move |group, log| {
            let mut ids = Vec::with_capacity(entries.len());
            for entry in &entries {
                ids.push(group.store.append(log, entry, group.now)?);
            }
            if let Some(retention) = options.retention(group.now) {
                group.store.trim(log, retention)?;
            }
            Ok(ids)
        });
        let ids = ids.await?;
        self.watch.change();
        Ok(ids)
    }

    /// Deletes what need not be retained. [`append`](Self::append) does so as well, so this is
    /// for logs that nobody appends to. Returns how many entries.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub async fn trim(&self) -> Result<u64, QueueError> {
        let options = self.options;
        let trimmed = self.on_disk(move |group, log| match options.retention(group.now) {
            Some(retention) => group.store.trim(log, retention),
            None => Ok(0),
        });
        trimmed.await
    }

    /// Returns a source of a pipeline, which reads the log for a group of this name. A group
    /// that is new begins at `start`.
    ///
    /// ```
    /// use stage_pipeline::{Message, TraceDeadLetters, acked, handler_fn};
    /// use stage_queue::{LogOptions, Queue, QueueOptions, StartAt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// let queue = Queue::open(dir.path().join("queue.db"), QueueOptions::new())?;
    /// let log = queue.log("events", LogOptions::new());
    /// log.append_all(["one", "two", "three"]).await?;
    ///
    /// let pipeline = acked("billing")
    ///     .source(move || log.source("billing", StartAt::Oldest).end_when_read())
    ///     .dead_letters(TraceDeadLetters)
    ///     .step("bill", || handler_fn(|_: &mut Message<Vec<u8>>| Ok(())))
    ///     .start()?;
    /// pipeline.join().await?;
    /// assert_eq!(pipeline.ledger().acked, 3);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn source(&self, group: &str, start: StartAt) -> LogSource {
        LogSource::new(self.clone(), group, start)
    }

    /// Returns the reader of a group. `start` says where a group begins that is new.
    ///
    /// A group has one reader at a time, in all processes. It is free again when its reader is
    /// dropped, or the process of its reader has died.
    ///
    /// # Errors
    ///
    /// [`QueueError::GroupTaken`] while the group has another reader. Otherwise as
    /// [`append`](Self::append).
    pub async fn group(&self, name: &str, start: StartAt) -> Result<LogReader, QueueError> {
        LogReader::open(self.clone(), name.into(), start).await
    }

    /// Forgets a group, so that nothing is retained for it.
    ///
    /// # Errors
    ///
    /// [`QueueError::GroupTaken`] while it has a reader. Otherwise as
    /// [`append`](Self::append).
    pub async fn forget_group(&self, name: &str) -> Result<(), QueueError> {
        let (group_name, log) = (Arc::<str>::from(name), Arc::clone(&self.name));
        let name = Arc::clone(&group_name);
        let forgotten = self
            .on_disk(move |group, log| group.store.forget_group(log, &name))
            .await?;
        if forgotten {
            Ok(())
        } else {
            Err(QueueError::GroupTaken {
                log,
                group: group_name,
            })
        }
    }

    pub(super) async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Group<'_>, LogRow) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, QueueError> {
        self.within(Fsync::Wait, work).await
    }

    pub(super) async fn within<T: Send + 'static>(
        &self,
        fsync: Fsync,
        work: impl FnOnce(&mut Group<'_>, LogRow) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, QueueError> {
        let name = Arc::clone(&self.name);
        let call = self.writer.call(fsync, move |group| {
            let log = group.store.log(&name)?;
            work(group, log).map(Ok)
        });
        call.await
    }
}
