//! [`Store`]: what keeps messages. [`Sqlite`]: the store in use.
//!
//! A store decides nothing by itself: time, owner and verdicts are arguments, so that what
//! it does can be compared with a model.

mod check;
mod dead;
mod enqueue;
mod key_order;
mod lease;
mod logs;
mod owners;
mod salvage;
mod schema;
mod settle;
mod sqlite;
mod topics;

use std::sync::Arc;

pub(crate) use check::check;
pub(crate) use salvage::salvage;
pub(crate) use sqlite::Sqlite;

use crate::error::StoreError;
use crate::log::Retention;
use crate::{
    DeadLetter, Enqueued, Leased, LogEntry, LogStats, MessageId, NewMessage, Settled, StartAt,
    TopicStats,
};

pub(crate) type StoreResult<T = ()> = Result<T, StoreError>;

/// A topic, as it is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TopicRow {
    pub(crate) id: i64,
    pub(crate) ordered: bool,
}

/// A log, as it is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogRow {
    pub(crate) id: i64,
}

/// How much a topic holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// What to lease.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeaseRequest {
    pub(crate) count: usize,
    pub(crate) owner: i64,
    pub(crate) epoch: u32,
    pub(crate) max_deliveries: Option<u32>,
    pub(crate) now: i64,
}

/// What a lease left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LeaseReport {
    /// Messages that became dead letters, because they were delivered too often.
    pub(crate) buried: u64,
    /// Messages that became dead letters, because they are damaged.
    pub(crate) damaged: u64,
    /// When the next message becomes ready. Now, if the store stopped looking before it had
    /// seen all.
    pub(crate) next_due: Option<i64>,
}

/// Another process that has the file open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) owner: i64,
    pub(crate) node: String,
    pub(crate) beat: i64,
    pub(crate) timeout_ms: i64,
}

/// Whether a commit is on the disk when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fsync {
    /// It survives the end of the process, and not a power cut.
    Skip,
    /// It survives a power cut.
    Wait,
}

/// Keeps messages. All methods but [`begin`](Self::begin) are called within a transaction.
pub(crate) trait Store: Send {
    /// Begins a transaction that may write.
    fn begin(&mut self, sync: Fsync) -> StoreResult;
    fn commit(&mut self) -> StoreResult;
    fn rollback(&mut self);

    /// Finds a topic, or creates it.
    fn topic(&mut self, name: &str, ordered: bool) -> StoreResult<TopicRow>;
    /// How much a topic holds, what this transaction did included.
    fn held(&mut self, topic: TopicRow) -> StoreResult<Amount>;
    /// The bytes in use in the file.
    fn used_bytes(&mut self) -> StoreResult<u64>;

    fn enqueue(&mut self, topic: TopicRow, message: &NewMessage, now: i64)
    -> StoreResult<Enqueued>;
    /// Drops at least so many messages and bytes: the oldest ready messages of the lowest
    /// priority. If there are not enough, it drops none and returns false.
    fn make_room(&mut self, topic: TopicRow, room: Amount) -> StoreResult<bool>;
    fn lease(
        &mut self,
        topic: TopicRow,
        request: LeaseRequest,
        out: &mut Vec<Leased>,
    ) -> StoreResult<LeaseReport>;
    /// Carries out verdicts, and marks those that are stale. Calls `ready` with each topic
    /// that has got messages to lease, and when.
    fn settle(
        &mut self,
        owner: i64,
        settled: &mut [Settled],
        now: i64,
        ready: &mut dyn FnMut(i64, i64),
    ) -> StoreResult;

    /// Notes a new owner.
    fn register(&mut self, node: &str, timeout_ms: i64) -> StoreResult<i64>;
    /// Notes that an owner is alive. Returns whether it was still known.
    fn beat(&mut self, owner: i64) -> StoreResult<bool>;
    fn owners(&mut self) -> StoreResult<Vec<Owner>>;
    /// Ends all leases of an owner, and forgets it. Returns the number of leases.
    fn expire(&mut self, owner: i64) -> StoreResult<u64>;

    /// Forgets deduplication keys whose time is over.
    fn tidy(&mut self, now: i64) -> StoreResult;

    fn dead_letters(
        &mut self,
        topic: TopicRow,
        after: Option<MessageId>,
        count: usize,
    ) -> StoreResult<Vec<DeadLetter>>;
    /// Makes dead letters ready again, with no deliveries counted. All, or one.
    fn revive(&mut self, topic: TopicRow, one: Option<MessageId>) -> StoreResult<u64>;
    /// Deletes dead letters. All, or one.
    fn bury(&mut self, topic: TopicRow, one: Option<MessageId>) -> StoreResult<u64>;

    /// Finds a log, or creates it.
    fn log(&mut self, name: &str) -> StoreResult<LogRow>;
    fn append(&mut self, log: LogRow, entry: &NewMessage, now: i64) -> StoreResult<MessageId>;
    /// Takes a group for an owner; creates it if it is new. Returns its mark, or none if it has
    /// another reader.
    fn take_group(
        &mut self,
        log: LogRow,
        name: &str,
        owner: i64,
        start: StartAt,
    ) -> StoreResult<Option<u64>>;
    fn leave_group(&mut self, log: LogRow, name: &str, owner: i64) -> StoreResult;
    /// Returns false, and does nothing, if it has a reader.
    fn forget_group(&mut self, log: LogRow, name: &str) -> StoreResult<bool>;
    /// Reads entries. None if the group is not the owner's any more.
    fn read_log(
        &mut self,
        log: LogRow,
        name: &str,
        owner: i64,
        after: u64,
        count: usize,
    ) -> StoreResult<Option<Vec<LogEntry>>>;
    /// Sets the mark of a group. Returns whether the group is the owner's.
    fn commit_log(
        &mut self,
        log: LogRow,
        name: &str,
        owner: i64,
        id: MessageId,
    ) -> StoreResult<bool>;
    /// Sets the mark of a group anywhere. Returns it, or none if the group is not the owner's.
    fn seek_group(
        &mut self,
        log: LogRow,
        name: &str,
        owner: i64,
        to: StartAt,
    ) -> StoreResult<Option<u64>>;
    /// Deletes entries that need not be retained. Returns how many.
    fn trim(&mut self, log: LogRow, retention: Retention) -> StoreResult<u64>;
    fn log_stats(&mut self, now: i64) -> StoreResult<Vec<LogStats>>;

    fn stats(&mut self, topic: TopicRow, name: &Arc<str>, now: i64) -> StoreResult<TopicStats>;
    /// All topics, by name.
    fn topics(&mut self) -> StoreResult<Vec<(Arc<str>, TopicRow)>>;
    /// The number of stale verdicts.
    fn stale(&mut self) -> StoreResult<u64>;
}
