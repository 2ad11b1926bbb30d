//! Copies what can be read of a damaged file.

mod copy;
mod rows;
mod states;

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

use super::{Sqlite, StoreResult};
use crate::SalvageReport;
use crate::error::{StoreError, StoreErrorKind};

pub(crate) fn salvage(from: &Path, to: &Path) -> StoreResult<SalvageReport> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let old = Connection::open_with_flags(from, flags)?;
    // Reads on although something in the schema is damaged.
    old.pragma_update(None, "writable_schema", true)?;
    let mut report = SalvageReport::default();
    let next_id = states::read_one(&old, "SELECT next_id FROM queue", &mut report).unwrap_or(0);
    let mut known = states::read_states(&old, &mut report);
    let newest = known
        .keys()
        .copied()
        .max()
        .unwrap_or(0)
        .max(next_id.saturating_sub(1));
    let mut largest = next_id;

    let new = Sqlite::open(to)?;
    let into = new.db.unchecked_transaction()?;
    for (id, name, ordered) in states::read_topics(&old, &mut report) {
        into.execute(
            "INSERT INTO topics(id, name, ordered) VALUES (?1, ?2, ?3)",
            params![id, name, ordered],
        )?;
    }
    rows::read_rows(
        &old,
        rows::MESSAGES,
        newest,
        &mut report,
        |message, report| {
            largest = largest.max(message.id.saturating_add(1));
            let state = known.remove(&message.id);
            copy::copy_message(&into, &message, state, report)
        },
    )?;
    report.lost = known.len() as u64;

    for (id, name) in states::read_logs(&old, &mut report) {
        into.execute(
            "INSERT OR IGNORE INTO logs(id, name) VALUES (?1, ?2)",
            params![id, name],
        )?;
    }
    rows::read_rows(&old, rows::ENTRIES, newest, &mut report, |entry, report| {
        largest = largest.max(entry.id.saturating_add(1));
        copy::copy_entry(&into, &entry, report)
    })?;
    for (log, name, mark) in states::read_groups(&old, &mut report) {
        into.execute(
            "INSERT OR IGNORE INTO groups(log, name, mark, read, owner) VALUES (?1, ?2, ?3, ?3, 0)",
            params![log, name, mark],
        )?;
    }

    let copied = report.messages + report.dead + report.damaged + report.entries;
    if copied == 0 && report.unreadable > 0 {
        return Err(StoreError::new(
            StoreErrorKind::Damaged,
            "none of its messages can be read",
        ));
    }
    into.execute("UPDATE queue SET next_id = ?1", [largest.max(1)])?;
    into.execute_batch(
        "UPDATE topics SET
         messages = (SELECT count(*) FROM ready WHERE topic = topics.id) + (SELECT count(*) FROM delayed WHERE topic = topics.id),
         bytes = (SELECT coalesce(sum(size), 0) FROM ready WHERE topic = topics.id)
               + (SELECT coalesce(sum(size), 0) FROM delayed WHERE topic = topics.id),
         enqueued = (SELECT count(*) FROM messages WHERE topic = topics.id),
         rejected = (SELECT count(*) FROM dead WHERE topic = topics.id);
         UPDATE logs SET
         entries = (SELECT count(*) FROM entries WHERE log = logs.id),
         bytes = (SELECT coalesce(sum(size), 0) FROM entries WHERE log = logs.id)",
    )?;
    into.commit()?;
    Ok(report)
}
