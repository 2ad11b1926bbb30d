//! Writes what was read to the new file.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::StoreResult;
use super::super::enqueue::checksum;
use super::rows::Body;
use super::states::State;
use crate::SalvageReport;

/// Writes a message to the new file.
pub(super) fn copy_message(
    into: &Connection,
    message: &Body,
    state: Option<State>,
    report: &mut SalvageReport,
) -> StoreResult {
    let known: bool = into
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM messages WHERE id = ?1)")?
        .query_row([message.id], |row| row.get(0))?;
    if known {
        // A damaged tree may lead to the same row twice.
        report.unreadable += 1;
        return Ok(());
    }
    let sum = checksum(
        message.id,
        message.key.as_deref(),
        message.headers.as_deref(),
        &message.payload,
    );
    let intact = sum == message.checksum;
    let has_state = state.is_some();
    let mut state = state.unwrap_or(State {
        topic: message.of,
        rank: 0,
        deliveries: 0,
        due_at: None,
        dead: None,
    });
    if !intact {
        report.damaged += 1;
        state
            .dead
            .get_or_insert((message.written_at, "damaged, and salvaged".into()));
    } else if state.dead.is_some() {
        report.dead += 1;
    } else {
        report.messages += 1;
        report.without_state += u64::from(!has_state);
    }
    let ordered: Option<bool> = into
        .prepare_cached("SELECT ordered FROM topics WHERE id = ?1")?
        .query_row([state.topic], |row| row.get(0))
        .optional()?;
    if ordered.is_none() {
        let name = format!("salvaged-{}", state.topic);
        into.execute(
            "INSERT INTO topics(id, name, ordered) VALUES (?1, ?2, 0)",
            params![state.topic, name],
        )?;
    }
    if ordered == Some(true) {
        state.rank = 0;
    }
    let headers = message.headers.as_ref().map_or(0, String::len);
    let size = message.payload.len() + headers + message.key.as_ref().map_or(0, String::len);
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    // A payload that is damaged keeps its old checksum: it stays known as damaged.
    into.prepare_cached(
        "INSERT INTO messages(id, topic, enqueued_at, key, headers, checksum, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![message.id, state.topic, message.written_at, message.key, message.headers, message.checksum, message.payload])?;
    let State {
        topic,
        rank,
        deliveries,
        due_at,
        dead,
    } = state;
    if let (Some(true), Some(key), Some(_), None) = (ordered, &message.key, due_at, &dead)
        && deliveries > 0
    {
        // Later messages of its key go on waiting for its retry.
        into.prepare_cached("INSERT INTO held(topic, key, id, owner) VALUES (?1, ?2, ?3, 0)")?
            .execute(params![topic, key, message.id])?;
    }
    match (dead, due_at) {
        (Some((at, reason)), _) => into
            .prepare_cached(
                "INSERT INTO dead(topic, id, rejected_at, rank, deliveries, size, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![topic, message.id, at, rank, deliveries, size, reason])?,
        (None, Some(due_at)) => into
            .prepare_cached("INSERT INTO delayed(topic, due_at, id, rank, deliveries, size) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![topic, due_at, message.id, rank, deliveries, size])?,
        (None, None) => into
            .prepare_cached("INSERT INTO ready(topic, rank, id, deliveries, size) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![topic, rank, message.id, deliveries, size])?,
    };
    Ok(())
}

/// Writes an entry of a log. One that is damaged keeps its old checksum: its readers see that it
/// is damaged.
pub(super) fn copy_entry(
    into: &Connection,
    entry: &Body,
    report: &mut SalvageReport,
) -> StoreResult {
    let key = entry.key.as_deref();
    let headers = entry.headers.as_deref();
    let intact = entry.checksum == checksum(entry.id, key, headers, &entry.payload);
    let size = entry.payload.len() + key.map_or(0, str::len) + headers.map_or(0, str::len);
    let mut log = into.prepare_cached("INSERT OR IGNORE INTO logs(id, name) VALUES (?1, ?2)")?;
    log.execute(params![entry.of, format!("salvaged-{}", entry.of)])?;
    let mut insert = into.prepare_cached(
        "INSERT OR IGNORE INTO entries(id, log, appended_at, size, key, headers, checksum, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let written = insert.execute(params![
        entry.id,
        entry.of,
        entry.written_at,
        size,
        key,
        headers,
        entry.checksum,
        entry.payload
    ])?;
    if written == 0 {
        // A damaged tree may lead to the same row twice.
        report.unreadable += 1;
    } else if intact {
        report.entries += 1;
    } else {
        report.damaged += 1;
    }
    Ok(())
}
