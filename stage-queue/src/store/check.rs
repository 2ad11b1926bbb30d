//! Looks for damage.

use std::path::Path;

use super::{Sqlite, StoreResult};
use crate::error::{StoreError, StoreErrorKind};

/// Counts the messages of each topic, and compares with what the topic says. It reads the
/// tables of states, and not the messages.
const COUNTS: &str = "
SELECT name, messages, found FROM (SELECT name, messages,
    (SELECT count(*) FROM ready WHERE topic = topics.id)
    + (SELECT count(*) FROM delayed WHERE topic = topics.id)
    + (SELECT count(*) FROM parked WHERE topic = topics.id)
    + (SELECT count(*) FROM leased WHERE topic = topics.id) AS found
    FROM topics) WHERE messages <> found LIMIT 1";

/// Counts the entries of each log, and compares with what the log says.
const LOG_COUNTS: &str = "
SELECT name, entries, found FROM (SELECT name, entries,
    (SELECT count(*) FROM entries WHERE log = logs.id) AS found FROM logs)
WHERE entries <> found LIMIT 1";

/// Messages without a state, and states without a message.
const ORPHANS: &str = "
WITH states AS (SELECT id FROM ready UNION ALL SELECT id FROM delayed UNION ALL SELECT id FROM parked
    UNION ALL SELECT id FROM leased UNION ALL SELECT id FROM dead)
SELECT (SELECT count(*) FROM messages WHERE id NOT IN (SELECT id FROM states)),
    (SELECT count(*) FROM states WHERE id NOT IN (SELECT id FROM messages))";

impl Sqlite {
    /// A check that takes milliseconds: no message can have vanished from its topic.
    pub(super) fn check_counts(&self) -> StoreResult {
        let mut counts = self.db.prepare(COUNTS)?;
        let mut rows = counts.query([])?;
        if let Some(row) = rows.next()? {
            let (name, messages, found): (String, i64, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            return Err(damaged(format!(
                "the topic `{name}` holds {messages} messages, and {found} are found"
            )));
        }
        Ok(())
    }
}

impl Sqlite {
    fn check_log_counts(&self) -> StoreResult {
        let mut counts = self.db.prepare(LOG_COUNTS)?;
        let mut rows = counts.query([])?;
        if let Some(row) = rows.next()? {
            let (name, entries, found): (String, i64, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            return Err(damaged(format!(
                "the log `{name}` holds {entries} entries, and {found} are found"
            )));
        }
        Ok(())
    }
}

/// Reads all of the file.
pub(crate) fn check(path: &Path) -> StoreResult {
    let store = Sqlite::open_to_read(path)?;
    let found: String = store
        .db
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(damaged(found));
    }
    store.check_counts()?;
    store.check_log_counts()?;
    let (stateless, bodiless): (i64, i64) = store
        .db
        .query_row(ORPHANS, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if stateless + bodiless > 0 {
        return Err(damaged(format!(
            "{stateless} messages are without a state, and {bodiless} states without a message"
        )));
    }
    Ok(())
}

fn damaged(what: String) -> StoreError {
    StoreError::new(StoreErrorKind::Damaged, what)
}
