//! The tables of a queue.

use rusqlite::Connection;

use super::StoreResult;
use crate::error::{StoreError, StoreErrorKind};

/// `STGQ`. Says that an SQLite file is a queue.
pub(super) const APPLICATION_ID: i64 = 0x5354_4751;
/// The version of the tables.
pub(super) const VERSION: i64 = 1;

/// State and payload are in tables of their own, so that a lease does not rewrite a payload.
/// A message is in `messages` and in just one of `ready`, `delayed`, `leased`, `parked` and
/// `dead`.
///
/// `rank` is the negative priority: tables are read in ascending order.
const TABLES: &str = "
CREATE TABLE queue(
    one INTEGER PRIMARY KEY CHECK (one = 1),
    next_id INTEGER NOT NULL,
    -- Verdicts on deliveries that were not current any more.
    stale INTEGER NOT NULL
);
INSERT INTO queue VALUES (1, 1, 0);
CREATE TABLE topics(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    ordered INTEGER NOT NULL,
    -- What is ready, delayed, parked or leased.
    messages INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    -- What has happened since the topic was created.
    enqueued INTEGER NOT NULL DEFAULT 0,
    duplicates INTEGER NOT NULL DEFAULT 0,
    acked INTEGER NOT NULL DEFAULT 0,
    released INTEGER NOT NULL DEFAULT 0,
    retried INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    expired INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    damaged INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE messages(
    id INTEGER PRIMARY KEY,
    topic INTEGER NOT NULL,
    enqueued_at INTEGER NOT NULL,
    key TEXT,
    headers TEXT,
    checksum INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE TABLE ready(
    topic INTEGER NOT NULL, rank INTEGER NOT NULL, id INTEGER NOT NULL,
    deliveries INTEGER NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (topic, rank, id)
) WITHOUT ROWID;
CREATE TABLE delayed(
    topic INTEGER NOT NULL, due_at INTEGER NOT NULL, id INTEGER NOT NULL, rank INTEGER NOT NULL,
    deliveries INTEGER NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (topic, due_at, id)
) WITHOUT ROWID;
CREATE TABLE leased(
    id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, rank INTEGER NOT NULL,
    owner INTEGER NOT NULL, epoch INTEGER NOT NULL,
    deliveries INTEGER NOT NULL, size INTEGER NOT NULL
);
-- Ordered topics: messages that wait behind an earlier one of their key.
CREATE TABLE parked(
    topic INTEGER NOT NULL, key TEXT NOT NULL, id INTEGER NOT NULL,
    deliveries INTEGER NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (topic, key, id)
) WITHOUT ROWID;
-- Ordered topics: messages that later ones of their key wait for: leased by `owner`, or
-- waiting to be retried (owner 0).
CREATE TABLE held(
    topic INTEGER NOT NULL, key TEXT NOT NULL, id INTEGER NOT NULL, owner INTEGER NOT NULL,
    PRIMARY KEY (topic, key, id)
) WITHOUT ROWID;
CREATE TABLE dead(
    topic INTEGER NOT NULL, id INTEGER NOT NULL, rejected_at INTEGER NOT NULL,
    rank INTEGER NOT NULL, deliveries INTEGER NOT NULL, size INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (topic, id)
) WITHOUT ROWID;
CREATE TABLE deduplication(
    topic INTEGER NOT NULL, key TEXT NOT NULL, id INTEGER NOT NULL, until INTEGER NOT NULL,
    PRIMARY KEY (topic, key)
) WITHOUT ROWID;
CREATE INDEX deduplication_until ON deduplication(until);
CREATE TABLE logs(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    entries INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    -- Entries that were deleted when their time was over, those among them that a group had
    -- not committed.
    trimmed INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE entries(
    id INTEGER PRIMARY KEY,
    log INTEGER NOT NULL,
    appended_at INTEGER NOT NULL,
    size INTEGER NOT NULL,
    key TEXT,
    headers TEXT,
    checksum INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE INDEX entries_log ON entries(log);
-- Groups that read a log: all up to `mark` is done, all up to `read` was given out. Owner 0 is
-- nobody.
CREATE TABLE groups(
    log INTEGER NOT NULL, name TEXT NOT NULL, mark INTEGER NOT NULL, read INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    PRIMARY KEY (log, name)
) WITHOUT ROWID;
CREATE TABLE owners(
    owner INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL,
    beat INTEGER NOT NULL, timeout_ms INTEGER NOT NULL, process INTEGER NOT NULL
);
";

/// Creates the tables in a new file, or checks that they are what this version expects.
pub(super) fn prepare(db: &Connection) -> StoreResult {
    // Before the first table, or it would take a VACUUM.
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // Two processes may create the file at once.
    db.execute_batch("BEGIN IMMEDIATE")?;
    let result = create_or_check(db);
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = db.execute_batch(end);
    result?;
    Ok(ended?)
}

fn create_or_check(db: &Connection) -> StoreResult {
    let application: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if application == APPLICATION_ID {
        if version == VERSION {
            return Ok(());
        }
        let reason =
            format!("its tables have version {version}, and this library reads version {VERSION}");
        return Err(StoreError::new(StoreErrorKind::NotAQueue, reason));
    }
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != 0 || tables > 0 {
        let reason = format!(
            "it is an SQLite file with {tables} tables and the application id {application}"
        );
        return Err(StoreError::new(StoreErrorKind::NotAQueue, reason));
    }
    db.execute_batch(TABLES)?;
    db.pragma_update(None, "application_id", APPLICATION_ID)?;
    db.pragma_update(None, "user_version", VERSION)?;
    Ok(())
}
