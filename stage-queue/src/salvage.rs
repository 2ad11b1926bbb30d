//! [`salvage`]: copies what can be read of a damaged queue. [`check`]: looks for damage.

use std::path::Path;

use crate::QueueError;
use crate::error::{StoreError, StoreErrorKind};
use crate::store;

/// What [`salvage`] has copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvageReport {
    /// Messages that are ready or delayed in the new file. Those that were leased are ready,
    /// with their deliveries kept.
    pub messages: u64,
    /// Of these, messages whose state could not be read. They are ready, with no deliveries
    /// counted.
    pub without_state: u64,
    /// Dead letters that were copied.
    pub dead: u64,
    /// Entries of logs that were copied.
    pub entries: u64,
    /// Messages and entries whose checksum does not match. Messages are dead letters in the new
    /// file, with what is left of their payload; entries are
    /// [marked](crate::LogEntry::damaged).
    pub damaged: u64,
    /// Messages that are known to have been there and could not be read.
    pub lost: u64,
    /// Parts of the file that could not be read. If there are any, messages may be lost that
    /// nothing else tells of.
    pub unreadable: u64,
}

/// Copies what can be read of the queue `from` to the new queue `to`. `from` is not changed;
/// close it in all processes before. Messages keep their numbers.
///
/// It reads tables around what is damaged. Nothing can be salvaged if a page of 4 KiB is damaged
/// that says where the others are: the first one, or the one at the top of the table of messages.
/// Restore such a page from another copy.
///
/// ```no_run
/// # fn main() -> Result<(), stage_queue::QueueError> {
/// let report = stage_queue::salvage("queue.db", "salvaged.db")?;
/// println!("{} messages, {} lost", report.messages, report.lost);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`QueueError::Open`] if `from` cannot be opened, or `to` exists or cannot be written.
/// [`QueueError::Damaged`] if nothing can be read.
pub fn salvage(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<SalvageReport, QueueError> {
    let (from, to) = (from.as_ref(), to.as_ref());
    if to.exists() {
        let cause = StoreError::new(
            StoreErrorKind::Failed,
            "it exists; give the path of a new file",
        );
        return Err(QueueError::Open {
            path: to.to_owned(),
            cause,
        });
    }
    store::salvage(from, to).map_err(|cause| {
        for suffix in ["", "-wal", "-shm"] {
            let mut left = to.as_os_str().to_owned();
            left.push(suffix);
            // It may not have been created.
            drop(std::fs::remove_file(left));
        }
        match cause.kind {
            StoreErrorKind::Damaged => QueueError::Damaged {
                path: from.to_owned(),
                cause,
            },
            _ => QueueError::Open {
                path: to.to_owned(),
                cause,
            },
        }
    })
}

/// Looks for damage in the queue at `path`, which may be open: reads all of the file. Opening
/// a queue makes a small part of these checks: it counts the messages of each topic.
///
/// # Errors
///
/// [`QueueError::Open`] if it cannot be opened, [`QueueError::Damaged`] with what was found.
pub fn check(path: impl AsRef<Path>) -> Result<(), QueueError> {
    let path = path.as_ref();
    store::check(path).map_err(|cause| match cause.kind {
        StoreErrorKind::Damaged => QueueError::Damaged {
            path: path.to_owned(),
            cause,
        },
        _ => QueueError::Open {
            path: path.to_owned(),
            cause,
        },
    })
}
