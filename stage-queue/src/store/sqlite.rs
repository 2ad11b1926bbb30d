//! [`Sqlite`]: the store in an SQLite file.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::topics::Tally;
use super::{
    Amount, Fsync, LeaseReport, LeaseRequest, LogRow, Owner, Store, StoreResult, TopicRow, schema,
};
use crate::error::{StoreError, StoreErrorKind};
use crate::log::Retention;
use crate::{
    DeadLetter, Enqueued, Leased, LogEntry, LogStats, MessageId, NewMessage, Settled, StartAt,
    TopicStats,
};

/// How long a transaction waits for that of another process before it is tried again.
const BUSY: Duration = Duration::from_secs(1);
/// How often opening is tried again while the file is busy.
const OPEN_TRIES: u32 = 100;
/// The write-ahead log goes into the file after so many pages of 4 KiB.
const CHECKPOINT_PAGES: i64 = 4_000;
/// After a checkpoint the write-ahead log is cut to this size.
const LOG_BYTES: i64 = 64 << 20;

/// A store in an SQLite file, with a write-ahead log.
pub(crate) struct Sqlite {
    pub(super) db: Connection,
    /// What the transaction has changed, by topic.
    pub(super) tallies: HashMap<i64, Tally>,
    /// The next message id, once the transaction has needed one.
    pub(super) next_id: Option<i64>,
    sync: Fsync,
    /// Whether pages were given back since the last checkpoint.
    shrinks: bool,
    page_bytes: u64,
}

impl Sqlite {
    /// Opens a file, or creates it.
    pub(crate) fn open(path: &Path) -> StoreResult<Self> {
        let db = Connection::open(path)?;
        db.busy_timeout(BUSY)?;
        // While another process turns a new file into one with a write-ahead log, the busy
        // timeout does not hold.
        let mut tries = 0;
        while let Err(error) = schema::prepare(&db) {
            tries += 1;
            if error.kind != StoreErrorKind::Busy || tries > OPEN_TRIES {
                return Err(error);
            }
            std::thread::sleep(BUSY / 100);
        }
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        db.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
        db.pragma_update(None, "cell_size_check", true)?;
        let store = Self::over(db)?;
        store.check_counts()?;
        Ok(store)
    }

    /// Opens a file to read.
    pub(crate) fn open_to_read(path: &Path) -> StoreResult<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(BUSY)?;
        // A message that moves from one table to another is counted once.
        db.execute_batch("BEGIN")?;
        Self::over(db)
    }

    fn over(db: Connection) -> StoreResult<Self> {
        db.set_prepared_statement_cache_capacity(64);
        // Without it, a statement with `LIMIT ?` is compiled again each time it is bound.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        let page_bytes: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0))?;
        Ok(Self {
            db,
            tallies: HashMap::new(),
            next_id: None,
            sync: Fsync::Skip,
            shrinks: false,
            page_bytes: page_bytes.unsigned_abs(),
        })
    }

    /// A number that changes when another process has committed.
    pub(crate) fn data_version(&self) -> StoreResult<i64> {
        Ok(self
            .db
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?)
    }

    /// Gives free pages back to the file system, a few at a time.
    pub(crate) fn shrink(&mut self) -> StoreResult {
        // Pages that are about to be used again are not worth the writing.
        const KEPT: i64 = 1_024;
        const AT_ONCE: i64 = 512;
        let free: i64 = self
            .db
            .pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        let all: i64 = self
            .db
            .pragma_query_value(None, "page_count", |row| row.get(0))?;
        if free > KEPT && free >= all / 4 {
            // Each step frees one page, so all of them have to be taken.
            let mut vacuum = self
                .db
                .prepare(&format!("PRAGMA incremental_vacuum({AT_ONCE})"))?;
            let mut steps = vacuum.query([])?;
            while steps.next()?.is_some() {}
            self.shrinks = true;
        } else if std::mem::take(&mut self.shrinks) {
            // The file itself gets smaller only now.
            self.checkpoint()?;
        }
        Ok(())
    }

    /// Moves the write-ahead log into the file. Fails quietly if another process reads.
    pub(crate) fn checkpoint(&mut self) -> StoreResult {
        // Its row says whether it was complete.
        match self
            .db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(StoreError::from)
        {
            Err(error) if error.kind != StoreErrorKind::Busy => Err(error),
            _ => Ok(()),
        }
    }

    /// What the transaction has changed in a topic.
    pub(super) fn tally(&mut self, topic: i64) -> &mut Tally {
        self.tallies.entry(topic).or_default()
    }
}

impl Store for Sqlite {
    fn begin(&mut self, sync: Fsync) -> StoreResult {
        if self.sync != sync {
            // It takes effect when it is compiled, so it is not cached.
            self.db.execute_batch(match sync {
                Fsync::Skip => "PRAGMA synchronous = NORMAL",
                Fsync::Wait => "PRAGMA synchronous = FULL",
            })?;
            self.sync = sync;
        }
        // Immediate: a transaction that reads first and writes later fails at once when
        // another has written in between, whatever the busy timeout.
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    fn commit(&mut self) -> StoreResult {
        self.write_tallies()?;
        self.write_next_id()?;
        self.db.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn rollback(&mut self) {
        self.tallies.clear();
        self.next_id = None;
        if !self.db.is_autocommit()
            && let Err(error) = self.db.execute_batch("ROLLBACK")
        {
            tracing::debug!(%error, "cannot roll back a transaction that has failed");
        }
    }

    fn topic(&mut self, name: &str, ordered: bool) -> StoreResult<TopicRow> {
        self.find_or_create_topic(name, ordered)
    }

    fn held(&mut self, topic: TopicRow) -> StoreResult<Amount> {
        self.held_by(topic)
    }

    fn used_bytes(&mut self) -> StoreResult<u64> {
        let pages: i64 = self
            .db
            .prepare_cached("PRAGMA page_count")?
            .query_row([], |row| row.get(0))?;
        let free: i64 = self
            .db
            .prepare_cached("PRAGMA freelist_count")?
            .query_row([], |row| row.get(0))?;
        Ok(pages.saturating_sub(free).unsigned_abs() * self.page_bytes)
    }

    fn enqueue(
        &mut self,
        topic: TopicRow,
        message: &NewMessage,
        now: i64,
    ) -> StoreResult<Enqueued> {
        self.enqueue_one(topic, message, now)
    }

    fn make_room(&mut self, topic: TopicRow, room: Amount) -> StoreResult<bool> {
        self.drop_oldest(topic, room)
    }

    fn lease(
        &mut self,
        topic: TopicRow,
        request: LeaseRequest,
        out: &mut Vec<Leased>,
    ) -> StoreResult<LeaseReport> {
        self.lease_some(topic, request, out)
    }

    fn settle(
        &mut self,
        owner: i64,
        settled: &mut [Settled],
        now: i64,
        ready: &mut dyn FnMut(i64, i64),
    ) -> StoreResult {
        self.settle_all(owner, settled, now, ready)
    }

    fn register(&mut self, node: &str, timeout_ms: i64) -> StoreResult<i64> {
        self.register_owner(node, timeout_ms)
    }

    fn beat(&mut self, owner: i64) -> StoreResult<bool> {
        self.beat_owner(owner)
    }

    fn owners(&mut self) -> StoreResult<Vec<Owner>> {
        self.all_owners()
    }

    fn expire(&mut self, owner: i64) -> StoreResult<u64> {
        self.expire_owner(owner)
    }

    fn tidy(&mut self, now: i64) -> StoreResult {
        self.db
            .prepare_cached("DELETE FROM deduplication WHERE until <= ?1")?
            .execute([now])?;
        Ok(())
    }

    fn dead_letters(
        &mut self,
        topic: TopicRow,
        after: Option<MessageId>,
        count: usize,
    ) -> StoreResult<Vec<DeadLetter>> {
        self.list_dead(topic, after, count)
    }

    fn revive(&mut self, topic: TopicRow, one: Option<MessageId>) -> StoreResult<u64> {
        self.revive_dead(topic, one)
    }

    fn bury(&mut self, topic: TopicRow, one: Option<MessageId>) -> StoreResult<u64> {
        self.clear_dead(topic, one)
    }

    fn log(&mut self, name: &str) -> StoreResult<LogRow> {
        self.find_or_create_log(name)
    }

    fn append(&mut self, log: LogRow, entry: &NewMessage, now: i64) -> StoreResult<MessageId> {
        self.append_entry(log, entry, now)
    }

    fn take_group(
        &mut self,
        log: LogRow,
        name: &str,
        owner: i64,
        start: StartAt,
    ) -> StoreResult<Option<u64>> {
        self.take_log_group(log, name, owner, start)
    }

    fn leave_group(&mut self, log: LogRow, name: &str, owner: i64) -> StoreResult {
        self.leave_log_group(log, name, owner)
    }

    fn forget_group(&mut self, log: LogRow, name: &str) -> StoreResult<bool> {
        self.forget_log_group(log, name)
    }

    fn read_log(
        &mut self,
        log: LogRow,
        name: &str,
        owner: i64,
        after: u64,
        count: usize,
    ) -> StoreResult<Option<Vec<LogEntry>>> {
        self.read_entries(log, name, owner, after, count)
    }

    fn commit_log(
        &mut self,
        log: LogRow,
        name: &str,
        owner: i64,
        id: MessageId,
    ) -> StoreResult<bool> {
        self.commit_entries(log, name, owner, id)
    }

    fn seek_group(
        &mut self,
        log: LogRow,
        name: &str,
        owner: i64,
        to: StartAt,
    ) -> StoreResult<Option<u64>> {
        self.seek_log_group(log, name, owner, to)
    }

    fn trim(&mut self, log: LogRow, retention: Retention) -> StoreResult<u64> {
        self.trim_log(log, retention)
    }

    fn log_stats(&mut self, now: i64) -> StoreResult<Vec<LogStats>> {
        self.log_stats_of(now)
    }

    fn stats(&mut self, topic: TopicRow, name: &Arc<str>, now: i64) -> StoreResult<TopicStats> {
        self.stats_of(topic, name, now)
    }

    fn topics(&mut self) -> StoreResult<Vec<(Arc<str>, TopicRow)>> {
        let mut topics = self
            .db
            .prepare_cached("SELECT name, id, ordered FROM topics ORDER BY name")?;
        let topics = topics.query_map([], |row| {
            Ok((
                row.get(0)?,
                TopicRow {
                    id: row.get(1)?,
                    ordered: row.get(2)?,
                },
            ))
        })?;
        Ok(topics.collect::<Result<_, _>>()?)
    }

    fn stale(&mut self) -> StoreResult<u64> {
        let stale: i64 = self
            .db
            .prepare_cached("SELECT stale FROM queue")?
            .query_row([], |row| row.get(0))?;
        Ok(stale.unsigned_abs())
    }
}

/// A statement that changes other rows than were just read has met a tree that is damaged.
pub(super) fn expect_rows(changed: usize, expected: usize) -> StoreResult {
    if changed == expected {
        return Ok(());
    }
    let text = format!("{changed} rows were changed where {expected} had been read");
    Err(StoreError::new(StoreErrorKind::Damaged, text))
}
