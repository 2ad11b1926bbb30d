//! Copies what can be read of a damaged file.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

use super::enqueue::checksum;
use super::{Sqlite, StoreResult};
use crate::SalvageReport;
use crate::error::{StoreError, StoreErrorKind};

/// The most messages in a row that are looked for one by one.
const GAP: i64 = 1_000_000;

/// The state of a message in the damaged file.
#[derive(Clone)]
struct State {
    topic: i64,
    rank: i64,
    deliveries: u32,
    /// When it is due, if it is delayed.
    due_at: Option<i64>,
    /// When it was rejected, and why, if it is a dead letter.
    dead: Option<(i64, String)>,
}

/// A row of `messages`.
struct Message {
    id: i64,
    topic: i64,
    enqueued_at: i64,
    key: Option<String>,
    headers: Option<String>,
    checksum: i64,
    payload: Vec<u8>,
}

pub(crate) fn salvage(from: &Path, to: &Path) -> StoreResult<SalvageReport> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let old = Connection::open_with_flags(from, flags)?;
    // Reads on although something in the schema is damaged.
    old.pragma_update(None, "writable_schema", true)?;
    let mut report = SalvageReport::default();
    let next_id = read_one(&old, "SELECT next_id FROM queue", &mut report).unwrap_or(0);
    let mut states = read_states(&old, &mut report);
    let topics = read_topics(&old, &mut report);

    let new = Sqlite::open(to)?;
    let into = new.db.unchecked_transaction()?;
    for (id, name, ordered) in &topics {
        into.prepare_cached("INSERT INTO topics(id, name, ordered) VALUES (?1, ?2, ?3)")?
            .execute(params![id, name, ordered])?;
    }
    let last = states
        .keys()
        .copied()
        .max()
        .unwrap_or(0)
        .max(next_id.saturating_sub(1));
    let mut largest = next_id;
    read_messages(&old, last, &mut report, |message, report| {
        largest = largest.max(message.id.saturating_add(1));
        let state = states.remove(&message.id);
        copy(&into, message, state, report)
    })?;
    report.lost = states.len() as u64;
    if report.messages + report.dead + report.damaged == 0 && report.unreadable > 0 {
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
         rejected = (SELECT count(*) FROM dead WHERE topic = topics.id)",
    )?;
    into.commit()?;
    Ok(report)
}

/// Writes a message to the new file.
fn copy(
    into: &Connection,
    message: Message,
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
        topic: message.topic,
        rank: 0,
        deliveries: 0,
        due_at: None,
        dead: None,
    });
    if !intact {
        report.damaged += 1;
        state
            .dead
            .get_or_insert((message.enqueued_at, "damaged, and salvaged".into()));
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
    .execute(params![message.id, state.topic, message.enqueued_at, message.key, message.headers, message.checksum, message.payload])?;
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

/// Reads the states of all messages, from both ends of each table.
fn read_states(old: &Connection, report: &mut SalvageReport) -> HashMap<i64, State> {
    let mut states = HashMap::new();
    // What comes later wins: a message that is in two tables is best delivered again.
    for sql in [
        "SELECT topic, id, rank, deliveries, NULL, rejected_at, reason FROM dead ORDER BY topic #, id #",
        "SELECT topic, id, rank, deliveries, due_at, NULL, NULL FROM delayed ORDER BY topic #, due_at #, id #",
        "SELECT topic, id, 0, deliveries, NULL, NULL, NULL FROM parked ORDER BY topic #, key #, id #",
        "SELECT topic, id, rank, deliveries, NULL, NULL, NULL FROM leased ORDER BY id #",
        "SELECT topic, id, rank, deliveries, NULL, NULL, NULL FROM ready ORDER BY topic #, rank #, id #",
    ] {
        let complete = scan(old, &sql.replace('#', ""), |row| {
            note_state(row, &mut states)
        });
        if complete.is_err() {
            report.unreadable += 1;
            // The rows behind the damage.
            drop(scan(old, &sql.replace('#', "DESC"), |row| {
                note_state(row, &mut states)
            }));
        }
    }
    states
}

fn note_state(row: &Row<'_>, states: &mut HashMap<i64, State>) -> rusqlite::Result<()> {
    let rejected_at: Option<i64> = row.get(5)?;
    let reason: Option<String> = row.get(6)?;
    let state = State {
        topic: row.get(0)?,
        rank: row.get(2)?,
        deliveries: row.get(3)?,
        due_at: row.get(4)?,
        dead: rejected_at.zip(reason),
    };
    states.insert(row.get(1)?, state);
    Ok(())
}

fn read_topics(old: &Connection, report: &mut SalvageReport) -> Vec<(i64, String, bool)> {
    let mut topics: Vec<(i64, String, bool)> = Vec::new();
    let read = scan(
        old,
        "SELECT id, name, ordered FROM topics NOT INDEXED",
        |row| {
            let topic: (i64, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if !topics
                .iter()
                .any(|(id, name, _)| *id == topic.0 || *name == topic.1)
            {
                topics.push(topic);
            }
            Ok(())
        },
    );
    report.unreadable += u64::from(read.is_err());
    topics
}

/// Reads rows until the first that is damaged.
fn scan(
    old: &Connection,
    sql: &str,
    mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut select = old.prepare(sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        each(row)?;
    }
    Ok(())
}

fn read_one(old: &Connection, sql: &str, report: &mut SalvageReport) -> Option<i64> {
    let read = old.query_row(sql, [], |row| row.get(0));
    report.unreadable += u64::from(read.is_err());
    read.ok()
}

/// Reads all messages up to about `last`. Where a page is damaged, it finds the next one that
/// can be read, and then looks for each message in between on its own.
fn read_messages(
    old: &Connection,
    last: i64,
    report: &mut SalvageReport,
    mut each: impl FnMut(Message, &mut SalvageReport) -> StoreResult,
) -> StoreResult {
    let mut select = old.prepare(
        "SELECT id, topic, enqueued_at, key, headers, checksum, payload FROM messages WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut one_row = |after: i64| {
        select
            .query_row(params![after, 1], Message::read)
            .optional()
    };
    let mut after = i64::MIN;
    loop {
        match one_row(after) {
            Ok(Some(message)) => {
                after = message.id;
                each(message, report)?;
            }
            Ok(None) => return Ok(()),
            Err(_) => {
                report.unreadable += 1;
                let Some(next) = behind_damage(after.max(0), last, &mut one_row) else {
                    return Ok(());
                };
                // Single rows may be readable that a scan cannot get by.
                // A number that is far off is damaged itself.
                let near = next.min(after.max(0).saturating_add(GAP));
                for id in after.max(0) + 1..near {
                    if let Ok(Some(message)) = one_row(id - 1)
                        && message.id == id
                    {
                        each(message, report)?;
                    }
                }
                after = next - 1;
            }
        }
    }
}

/// Finds the number of a message behind damage, in steps that double.
fn behind_damage(
    after: i64,
    last: i64,
    one_row: &mut impl FnMut(i64) -> rusqlite::Result<Option<Message>>,
) -> Option<i64> {
    let mut step = 1_i64;
    while after.checked_add(step)? <= last {
        match one_row(after + step) {
            Ok(Some(message)) => return Some(message.id),
            Ok(None) => return None,
            Err(_) => step = step.checked_mul(2)?,
        }
    }
    None
}

impl Message {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            topic: row.get(1)?,
            enqueued_at: row.get(2)?,
            key: row.get(3)?,
            headers: row.get(4)?,
            checksum: row.get(5)?,
            payload: row.get(6)?,
        })
    }
}
