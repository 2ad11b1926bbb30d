//! A queue table as one writes it by hand: one table, a partial index of what is ready,
//! prepared statements.

use std::path::Path;
use std::sync::Mutex;

use rusqlite::{Connection, params};
use tokio::runtime::Runtime;

use super::setting::{Clock, Setting, payload};

/// How many messages share a transaction, and what is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// A transaction for a group, each synced as the setting says.
    Batch,
    /// The same, but leases are never synced, as ours are not.
    BatchUnsyncedLease,
    /// A transaction for every message.
    Message,
}

const TABLE: &str = "
CREATE TABLE jobs(
    id INTEGER PRIMARY KEY, state INTEGER NOT NULL DEFAULT 0,
    deliveries INTEGER NOT NULL DEFAULT 0, leased_until INTEGER, payload BLOB NOT NULL
);
CREATE INDEX jobs_ready ON jobs(id) WHERE state = 0;
";
const ENQUEUE: &str = "INSERT INTO jobs(payload) VALUES (?1)";
const LEASE: &str = "
UPDATE jobs SET state = 1, deliveries = deliveries + 1, leased_until = unixepoch() + 30
WHERE id IN (SELECT id FROM jobs WHERE state = 0 ORDER BY id LIMIT ?1)
RETURNING id, deliveries, payload";
const ACK: &str = "DELETE FROM jobs WHERE id = ?1 AND deliveries = ?2";

struct Table {
    db: Connection,
    style: Style,
    full: bool,
}

/// Returns how many messages went through.
pub(super) fn run(
    runtime: &Runtime,
    path: &Path,
    setting: Setting,
    clock: &Clock,
    style: Style,
) -> u64 {
    let table = Mutex::new(Table::open(path, setting, style).expect("a new file can be created"));
    let cycle = || {
        let mut table = table.lock().expect("nothing panics");
        table.cycle(setting.group)
    };
    let table = &table;
    table
        .lock()
        .expect("nothing panics")
        .enqueue(setting.backlog)
        .expect("the disk has room");
    clock.start();
    // Blocking calls: what a call costs by itself, with no thread between.
    runtime.block_on(async {
        let callers = (0..setting.callers).map(|_| async {
            let mut messages = 0;
            while !clock.is_over() {
                messages += cycle().expect("the file is sound");
                if setting.callers > 1 {
                    tokio::task::yield_now().await;
                }
            }
            messages
        });
        futures::future::join_all(callers).await.into_iter().sum()
    })
}

impl Table {
    fn open(path: &Path, setting: Setting, style: Style) -> rusqlite::Result<Self> {
        let db = Connection::open(path)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "wal_autocheckpoint", 4_000)?;
        let full = setting.full;
        db.pragma_update(None, "synchronous", if full { "FULL" } else { "NORMAL" })?;
        db.execute_batch(TABLE)?;
        Ok(Self { db, style, full })
    }

    /// Enqueues, leases and acknowledges so many messages.
    fn cycle(&mut self, count: usize) -> rusqlite::Result<u64> {
        if self.style == Style::Message {
            for _ in 0..count {
                self.enqueue(1)?;
            }
            let mut leased = Vec::with_capacity(count);
            for _ in 0..count {
                leased.append(&mut self.lease(1)?);
            }
            for one in leased.chunks(1) {
                self.ack(one)?;
            }
            return Ok(leased.len() as u64);
        }
        self.enqueue(count)?;
        if self.full && self.style == Style::BatchUnsyncedLease {
            self.db.execute_batch("PRAGMA synchronous = NORMAL")?;
        }
        let leased = self.lease(count)?;
        if self.full && self.style == Style::BatchUnsyncedLease {
            self.db.execute_batch("PRAGMA synchronous = FULL")?;
        }
        self.ack(&leased)?;
        Ok(leased.len() as u64)
    }

    fn enqueue(&mut self, count: usize) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        let mut insert = transaction.prepare_cached(ENQUEUE)?;
        for _ in 0..count {
            insert.execute([payload()])?;
        }
        drop(insert);
        transaction.commit()
    }

    fn lease(&mut self, count: usize) -> rusqlite::Result<Vec<(i64, u32, Vec<u8>)>> {
        let mut lease = self.db.prepare_cached(LEASE)?;
        let rows = lease.query_map([count as i64], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        rows.collect()
    }

    fn ack(&mut self, leased: &[(i64, u32, Vec<u8>)]) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        let mut delete = transaction.prepare_cached(ACK)?;
        for (id, deliveries, _) in leased {
            let deleted = delete.execute(params![id, deliveries])?;
            assert_eq!(deleted, 1, "nobody else has it");
        }
        drop(delete);
        transaction.commit()
    }
}
