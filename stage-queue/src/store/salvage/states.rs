//! Reads the small tables: states, topics, groups.

use std::collections::HashMap;

use rusqlite::{Connection, Row};

use crate::SalvageReport;

/// The state of a message in the damaged file.
#[derive(Clone)]
pub(super) struct State {
    pub(super) topic: i64,
    pub(super) rank: i64,
    pub(super) deliveries: u32,
    /// When it is due, if it is delayed.
    pub(super) due_at: Option<i64>,
    /// When it was rejected, and why, if it is a dead letter.
    pub(super) dead: Option<(i64, String)>,
}

/// Reads the states of all messages, from both ends of each table.
pub(super) fn read_states(old: &Connection, report: &mut SalvageReport) -> HashMap<i64, State> {
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

pub(super) fn read_topics(
    old: &Connection,
    report: &mut SalvageReport,
) -> Vec<(i64, String, bool)> {
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

/// Reads the logs, as number and name.
pub(super) fn read_logs(old: &Connection, report: &mut SalvageReport) -> Vec<(i64, String)> {
    let mut logs = Vec::new();
    let read = scan(old, "SELECT id, name FROM logs NOT INDEXED", |row| {
        logs.push((row.get(0)?, row.get(1)?));
        Ok(())
    });
    report.unreadable += u64::from(read.is_err());
    logs
}

/// Reads the groups, as log, name and mark.
pub(super) fn read_groups(old: &Connection, report: &mut SalvageReport) -> Vec<(i64, String, i64)> {
    let mut groups = Vec::new();
    let read = scan(old, "SELECT log, name, mark FROM groups", |row| {
        groups.push((row.get(0)?, row.get(1)?, row.get(2)?));
        Ok(())
    });
    report.unreadable += u64::from(read.is_err());
    groups
}

/// Reads rows until the first that is damaged.
pub(super) fn scan(
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

pub(super) fn read_one(old: &Connection, sql: &str, report: &mut SalvageReport) -> Option<i64> {
    let read = old.query_row(sql, [], |row| row.get(0));
    report.unreadable += u64::from(read.is_err());
    read.ok()
}
