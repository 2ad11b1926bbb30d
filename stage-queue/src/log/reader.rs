//! [`LogReader`]: reads a log for a group.

use std::future::poll_fn;
use std::sync::Arc;

use super::{Log, LogEntry, StartAt};
use crate::store::Fsync;
use crate::{MessageId, QueueError};

/// Reads a log for a group of consumers; from [`Log::group`].
///
/// The group has a mark: all entries up to it are done. A new reader begins behind the mark, so
/// that what was read and not committed is read again.
#[derive(Debug)]
pub struct LogReader {
    log: Log,
    group: Arc<str>,
    owner: i64,
    /// The number of the last entry that was read.
    position: u64,
}

impl LogReader {
    pub(super) async fn open(
        log: Log,
        group: Arc<str>,
        start: StartAt,
    ) -> Result<Self, QueueError> {
        let name = Arc::clone(&group);
        let taken = log.on_disk(move |group, log| {
            let owner = group.register()?;
            let mark = group.store.take_group(log, &name, owner, start)?;
            Ok(mark.map(|mark| (owner, mark)))
        });
        match taken.await? {
            Some((owner, position)) => Ok(Self {
                log,
                group,
                owner,
                position,
            }),
            None => Err(QueueError::GroupTaken {
                log: Arc::clone(&log.name),
                group,
            }),
        }
    }

    /// Returns the name of the group.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Reads up to `count` entries that follow those read before, and appends them to `out`.
    /// Returns how many.
    ///
    /// # Errors
    ///
    /// [`QueueError::GroupTaken`] if others took the group, because this process hung for
    /// longer than the visibility timeout. [`QueueError::Stopped`], [`QueueError::Damaged`] or
    /// [`QueueError::Closed`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the next call reads the same entries.
    pub async fn read(
        &mut self,
        count: usize,
        out: &mut Vec<LogEntry>,
    ) -> Result<usize, QueueError> {
        let (name, owner, after) = (Arc::clone(&self.group), self.owner, self.position);
        let read = self.log.within(Fsync::Skip, move |group, log| {
            group.store.read_log(log, &name, owner, after, count)
        });
        let Some(mut entries) = read.await? else {
            return Err(self.taken());
        };
        if let Some(last) = entries.last() {
            self.position = last.id.0;
        }
        let count = entries.len();
        out.append(&mut entries);
        Ok(count)
    }

    /// As [`read`](Self::read), but waits until there is at least one entry.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// As [`read`](Self::read).
    pub async fn read_or_wait(
        &mut self,
        count: usize,
        out: &mut Vec<LogEntry>,
    ) -> Result<usize, QueueError> {
        loop {
            let seen = self.log.watch.changes();
            let read = self.read(count, out).await?;
            if read > 0 || count == 0 {
                return Ok(read);
            }
            poll_fn(|cx| self.log.watch.poll_after(seen, cx)).await;
        }
    }

    /// Sets the mark of the group: all entries up to and with `id` are done. A mark never goes
    /// back; [`seek`](Self::seek) does that.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the mark is set nevertheless.
    pub async fn commit(&mut self, id: MessageId) -> Result<(), QueueError> {
        let (name, owner) = (Arc::clone(&self.group), self.owner);
        let committed = self
            .log
            .on_disk(move |group, log| group.store.commit_log(log, &name, owner, id))
            .await?;
        if committed { Ok(()) } else { Err(self.taken()) }
    }

    /// Goes to another place, back or ahead: sets the mark of the group there, and reads on
    /// from it.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub async fn seek(&mut self, to: StartAt) -> Result<(), QueueError> {
        let (name, owner) = (Arc::clone(&self.group), self.owner);
        let mark = self
            .log
            .on_disk(move |group, log| group.store.seek_group(log, &name, owner, to))
            .await?;
        let Some(mark) = mark else {
            return Err(self.taken());
        };
        self.position = mark;
        Ok(())
    }

    /// Gives the group up, for another reader. Dropping the reader does that as well, some time
    /// later.
    ///
    /// # Errors
    ///
    /// [`QueueError::Stopped`], [`QueueError::Damaged`] or [`QueueError::Closed`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the group is given up nevertheless.
    pub async fn leave(self) -> Result<(), QueueError> {
        let (name, owner) = (Arc::clone(&self.group), self.owner);
        let left = self.log.within(Fsync::Skip, move |group, log| {
            group.store.leave_group(log, &name, owner)
        });
        left.await
    }

    fn taken(&self) -> QueueError {
        QueueError::GroupTaken {
            log: Arc::clone(&self.log.name),
            group: Arc::clone(&self.group),
        }
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        let (name, log, owner) = (
            Arc::clone(&self.group),
            Arc::clone(&self.log.name),
            self.owner,
        );
        self.log.writer.post(Fsync::Skip, move |group| {
            let log = group.store.log(&log)?;
            group.store.leave_group(log, &name, owner)?;
            Ok(Ok(()))
        });
    }
}
