//! Reads the rows of a table around what is damaged.

use rusqlite::{Connection, OptionalExtension, Row};

use super::super::StoreResult;
use crate::SalvageReport;

/// The most rows in sequence that are looked for one by one.
const GAP: i64 = 20_000;

/// A row of `messages` or of `entries`.
pub(super) struct Body {
    pub(super) id: i64,
    /// The topic or the log.
    pub(super) of: i64,
    pub(super) written_at: i64,
    pub(super) key: Option<String>,
    pub(super) headers: Option<String>,
    pub(super) checksum: i64,
    pub(super) payload: Vec<u8>,
}

/// The messages of topics, one behind a number.
pub(super) const MESSAGES: &str = "SELECT id, topic, enqueued_at, key, headers, checksum, payload
    FROM messages WHERE id > ?1 ORDER BY id LIMIT 1";

/// The entries of logs, one behind a number.
pub(super) const ENTRIES: &str = "SELECT id, log, appended_at, key, headers, checksum, payload
    FROM entries NOT INDEXED WHERE id > ?1 ORDER BY id LIMIT 1";

/// Reads all rows up to about `last`. Where a page is damaged, it finds the next one that
/// can be read, and then looks for each row in between on its own.
pub(super) fn read_rows(
    old: &Connection,
    sql: &str,
    last: i64,
    report: &mut SalvageReport,
    mut each: impl FnMut(Body, &mut SalvageReport) -> StoreResult,
) -> StoreResult {
    let mut select = old.prepare(sql)?;
    let mut one_row = |after: i64| select.query_row([after], Body::read).optional();
    let mut after = i64::MIN;
    loop {
        match one_row(after) {
            Ok(Some(body)) if body.id > after => {
                after = body.id;
                each(body, report)?;
            }
            Ok(None) => return Ok(()),
            // Damaged, or out of order.
            Ok(Some(_)) | Err(_) => {
                report.unreadable += 1;
                let Some(next) = behind_damage(after.max(0), last, &mut one_row) else {
                    return Ok(());
                };
                // Single rows may be readable that a scan cannot get by.
                // A number that is far off is damaged itself.
                let near = next.min(after.max(0).saturating_add(GAP));
                for id in after.max(0) + 1..near {
                    if let Ok(Some(body)) = one_row(id - 1)
                        && body.id == id
                    {
                        each(body, report)?;
                    }
                }
                after = next - 1;
            }
        }
    }
}

/// Finds the number of a row behind damage, in steps that double; where they pass `last`, they
/// begin again from where they were.
fn behind_damage(
    after: i64,
    last: i64,
    one_row: &mut impl FnMut(i64) -> rusqlite::Result<Option<Body>>,
) -> Option<i64> {
    let (mut from, mut step) = (after, 1_i64);
    while from < last {
        let Some(at) = from.checked_add(step).filter(|at| *at <= last) else {
            from += step / 2;
            step = 1;
            continue;
        };
        match one_row(at) {
            Ok(Some(body)) if body.id > after => return Some(body.id),
            Ok(None) => return None,
            Ok(Some(_)) | Err(_) => step = step.checked_mul(2)?,
        }
    }
    None
}

impl Body {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            of: row.get(1)?,
            written_at: row.get(2)?,
            key: row.get(3)?,
            headers: row.get(4)?,
            checksum: row.get(5)?,
            payload: row.get(6)?,
        })
    }
}
