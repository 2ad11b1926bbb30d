//! [`QueueStats`] and [`TopicStats`]: what is in a queue, and what has happened in it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::MessageId;

/// What is in a topic, and what has happened in it since it was created, in all processes.
///
/// At any time `enqueued` + dead letters made ready again = `acked` + `rejected` + `dropped`
/// + `damaged` + `ready` + `delayed` + `leased`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicStats {
    /// The name of the topic.
    pub topic: Arc<str>,
    /// Whether it keeps the order of messages with the same key.
    pub ordered: bool,
    /// Messages that can be leased; in an ordered topic also those that wait behind an
    /// earlier one of their key.
    pub ready: u64,
    /// Messages that wait for their time: enqueued with a delay, or to be retried.
    pub delayed: u64,
    /// Messages that are leased.
    pub leased: u64,
    /// Dead letters.
    pub dead: u64,
    /// Bytes of payloads, keys and headers that are ready, delayed or leased.
    pub bytes: u64,
    /// The age of the oldest message that is ready or leased.
    pub oldest_age: Option<Duration>,
    /// Messages that were enqueued. Duplicates are not among them.
    pub enqueued: u64,
    /// Messages that were not enqueued, because their deduplication key was known.
    pub duplicates: u64,
    /// Messages that were acknowledged.
    pub acked: u64,
    /// Leases that were released.
    pub released: u64,
    /// Leases that were settled with a retry.
    pub retried: u64,
    /// Messages that became dead letters, by a verdict or because they were delivered too
    /// often.
    pub rejected: u64,
    /// Leases that ended because their process died, hung or closed the queue.
    pub expired: u64,
    /// Messages that were dropped because the topic was full.
    pub dropped: u64,
    /// Messages that became dead letters because their checksum did not match.
    pub damaged: u64,
}

/// What is in a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// The file.
    pub path: PathBuf,
    /// The size of the file, in bytes, without its write-ahead log.
    pub file_bytes: u64,
    /// The bytes in use in the file.
    pub used_bytes: u64,
    /// Processes that lease messages from it, this one included.
    pub owners: u64,
    /// Verdicts on deliveries that were not current any more. They changed nothing.
    pub stale: u64,
    /// The topics, by name.
    pub topics: Vec<TopicStats>,
    /// The logs, by name.
    pub logs: Vec<LogStats>,
}

/// What is in a log, and what has happened in it since it was created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStats {
    /// The name of the log.
    pub log: Arc<str>,
    /// Entries.
    pub entries: u64,
    /// Bytes of their payloads, keys and headers.
    pub bytes: u64,
    /// Entries that were deleted when their time was over.
    pub trimmed: u64,
    /// Of these, entries that a group had not committed.
    pub dropped: u64,
    /// The age of the oldest entry.
    pub oldest_age: Option<Duration>,
    /// The groups that read it, by name.
    pub groups: Vec<GroupStats>,
}

/// How far a group has read a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupStats {
    /// The name of the group.
    pub group: Arc<str>,
    /// All entries up to this one are done.
    pub mark: MessageId,
    /// Entries behind the mark.
    pub lag: u64,
    /// Whether it has a reader now.
    pub has_reader: bool,
}
