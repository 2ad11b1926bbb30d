//! [`QueueError`]: what can go wrong.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

/// An error of a queue.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum QueueError {
    /// An option has a value that is not allowed.
    #[error("{option} is {value}, which is not allowed; choose {allowed}")]
    Option {
        /// The name of the option.
        option: &'static str,
        /// Its value.
        value: String,
        /// The values that are allowed.
        allowed: String,
    },
    /// The file cannot be opened or created.
    #[error("cannot open the queue {}: {cause}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        cause: StoreError,
    },
    /// The file is an SQLite file of something else, or a queue of a newer version of this
    /// library.
    #[error("{} is not a queue that this version can read: {reason}; give the path of a new file or of a queue", path.display())]
    NotAQueue {
        /// The file.
        path: PathBuf,
        /// What is in it.
        reason: String,
    },
    /// The file is damaged. Nothing more is read from it or written to it.
    #[error(
        "the queue {} is damaged: {cause}; `stage_queue::salvage` copies what can be read to a new file",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        cause: StoreError,
    },
    /// The queue has stopped, because writing failed: the disk is full, or it failed to sync.
    /// Every later call fails with the same error. What was answered before is safe.
    ///
    /// Writing is not tried again on this queue: after a failed sync the system may have
    /// forgotten what it had to write. Repair the disk, or make room, and open the queue
    /// again.
    #[error("the queue {} has stopped: {cause}; nothing that was answered is lost: repair the disk or make room, and open it again", path.display())]
    Stopped {
        /// The file.
        path: PathBuf,
        /// What failed.
        cause: StoreError,
    },
    /// The queue was closed.
    #[error("the queue is closed")]
    Closed,
    /// There is no room for a message, and the topic does not wait for it.
    #[error(
        "the topic `{topic}` is full: {reason}; ack messages, raise the bound, or choose `WhenFull::Wait`"
    )]
    Full {
        /// The topic.
        topic: Arc<str>,
        /// Which bound was reached.
        reason: String,
    },
    /// Messages can never be enqueued, because they are larger than a bound.
    #[error(
        "{what} of the topic `{topic}` would be {value}, and {bound} are allowed; send less at once, or raise the bound"
    )]
    TooLarge {
        /// The topic.
        topic: Arc<str>,
        /// What is too large.
        what: &'static str,
        /// How large it is.
        value: u64,
        /// How large it may be.
        bound: u64,
    },
    /// A message with a priority was sent to an ordered topic.
    #[error(
        "the topic `{topic}` is ordered, so its messages have priority 0, and not {priority}; leave it out, or use a topic that is not ordered"
    )]
    Priority {
        /// The topic.
        topic: Arc<str>,
        /// The priority of the message.
        priority: i16,
    },
    /// An entry of a log has something that only messages of topics have.
    #[error(
        "an entry of the log `{log}` has {what}, which only messages of topics have; leave it out, or use a topic"
    )]
    NotInLogs {
        /// The log.
        log: Arc<str>,
        /// What it has.
        what: &'static str,
    },
    /// A group of consumers has another reader.
    #[error(
        "the group `{group}` of the log `{log}` has another reader; drop that one, or read for another group"
    )]
    GroupTaken {
        /// The log.
        log: Arc<str>,
        /// The group.
        group: Arc<str>,
    },
    /// A topic exists with other options.
    #[error(
        "the topic `{topic}` exists and is {existing}, and not {wanted}; open it as it is, or choose another name"
    )]
    OtherTopic {
        /// The topic.
        topic: Arc<str>,
        /// What it is.
        existing: &'static str,
        /// What it was to be.
        wanted: &'static str,
    },
}

/// What the store said.
#[derive(Debug, Clone, Error)]
#[error("{message}")]
pub struct StoreError {
    pub(crate) kind: StoreErrorKind,
    pub(crate) message: Arc<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreErrorKind {
    /// Another process is writing.
    Busy,
    /// The file is damaged.
    Damaged,
    /// The file is something else.
    NotAQueue,
    /// Anything else: a full disk, a failed sync.
    Failed,
}

impl StoreError {
    pub(crate) fn new(kind: StoreErrorKind, message: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// The error of a queue at `path` that stops because of this.
    pub(crate) fn stop(self, path: &std::path::Path) -> QueueError {
        let path = path.to_owned();
        match self.kind {
            StoreErrorKind::Damaged => QueueError::Damaged { path, cause: self },
            _ => QueueError::Stopped { path, cause: self },
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let kind = match error.sqlite_error_code() {
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => StoreErrorKind::Busy,
            // Statements are fixed: one that does not compile, or breaks a constraint, has
            // met tables that were not written so.
            Some(
                Code::DatabaseCorrupt
                | Code::NotADatabase
                | Code::Unknown
                | Code::ConstraintViolation,
            ) => StoreErrorKind::Damaged,
            Some(_) => StoreErrorKind::Failed,
            // A value of another type than was written, or a row that must be there and is not.
            None => StoreErrorKind::Damaged,
        };
        let extended = error.sqlite_error().map(|error| error.extended_code);
        let message = match extended {
            Some(code) => format!("{error} (SQLite code {code})"),
            None => error.to_string(),
        };
        Self::new(kind, message)
    }
}
