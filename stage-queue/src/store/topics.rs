//! Topics: their rows, what they hold, what has happened in them.

use std::sync::Arc;

use rusqlite::{OptionalExtension, params};

use super::{Amount, Sqlite, StoreResult, TopicRow};
use crate::TopicStats;
use crate::clock::from_ms;

/// What a transaction has changed in a topic. Written once, before the commit.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) messages: i64,
    pub(super) bytes: i64,
    pub(super) enqueued: i64,
    pub(super) duplicates: i64,
    pub(super) acked: i64,
    pub(super) released: i64,
    pub(super) retried: i64,
    pub(super) rejected: i64,
    pub(super) expired: i64,
    pub(super) dropped: i64,
    pub(super) damaged: i64,
}

impl Tally {
    /// A message has come to be ready, delayed or leased.
    pub(super) fn add(&mut self, size: i64) {
        self.messages += 1;
        self.bytes += size;
    }

    /// A message is neither ready nor delayed nor leased any more.
    pub(super) fn remove(&mut self, size: i64) {
        self.messages -= 1;
        self.bytes -= size;
    }
}

impl Sqlite {
    pub(super) fn write_tallies(&mut self) -> StoreResult {
        let mut update = self.db.prepare_cached(
            "UPDATE topics SET messages = messages + ?2, bytes = bytes + ?3, enqueued = enqueued + ?4,
             duplicates = duplicates + ?5, acked = acked + ?6, released = released + ?7,
             retried = retried + ?8, rejected = rejected + ?9, expired = expired + ?10,
             dropped = dropped + ?11, damaged = damaged + ?12 WHERE id = ?1",
        )?;
        for (topic, tally) in self.tallies.drain() {
            update.execute(params![
                topic,
                tally.messages,
                tally.bytes,
                tally.enqueued,
                tally.duplicates,
                tally.acked,
                tally.released,
                tally.retried,
                tally.rejected,
                tally.expired,
                tally.dropped,
                tally.damaged,
            ])?;
        }
        Ok(())
    }

    pub(super) fn find_or_create_topic(
        &mut self,
        name: &str,
        ordered: bool,
    ) -> StoreResult<TopicRow> {
        let mut find = self
            .db
            .prepare_cached("SELECT id, ordered FROM topics WHERE name = ?1")?;
        let found = find
            .query_row([name], |row| {
                Ok(TopicRow {
                    id: row.get(0)?,
                    ordered: row.get(1)?,
                })
            })
            .optional()?;
        if let Some(found) = found {
            return Ok(found);
        }
        let mut create = self
            .db
            .prepare_cached("INSERT INTO topics(name, ordered) VALUES (?1, ?2)")?;
        let id = create.insert(params![name, ordered])?;
        Ok(TopicRow { id, ordered })
    }

    pub(super) fn held_by(&mut self, topic: TopicRow) -> StoreResult<Amount> {
        let mut held = self
            .db
            .prepare_cached("SELECT messages, bytes FROM topics WHERE id = ?1")?;
        let (messages, bytes): (i64, i64) =
            held.query_row([topic.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let since = self.tallies.get(&topic.id);
        let sum =
            |written: i64, since: Option<i64>| (written + since.unwrap_or(0)).max(0).unsigned_abs();
        Ok(Amount {
            messages: sum(messages, since.map(|tally| tally.messages)),
            bytes: sum(bytes, since.map(|tally| tally.bytes)),
        })
    }

    pub(super) fn stats_of(
        &mut self,
        topic: TopicRow,
        name: &Arc<str>,
        now: i64,
    ) -> StoreResult<TopicStats> {
        let count = |table: &str| -> StoreResult<u64> {
            let sql = format!("SELECT count(*) FROM {table} WHERE topic = ?1");
            let count: i64 = self
                .db
                .prepare_cached(&sql)?
                .query_row([topic.id], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        };
        let mut stats = TopicStats {
            topic: Arc::clone(name),
            ordered: topic.ordered,
            ready: count("ready")? + count("parked")?,
            delayed: count("delayed")?,
            leased: count("leased")?,
            dead: count("dead")?,
            ..TopicStats::default()
        };
        let mut sums = self.db.prepare_cached(
            "SELECT bytes, enqueued, duplicates, acked, released, retried, rejected, expired,
             dropped, damaged FROM topics WHERE id = ?1",
        )?;
        let mut rows = sums.query([topic.id])?;
        if let Some(row) = rows.next()? {
            for (column, sum) in [
                &mut stats.bytes,
                &mut stats.enqueued,
                &mut stats.duplicates,
                &mut stats.acked,
                &mut stats.released,
                &mut stats.retried,
                &mut stats.rejected,
                &mut stats.expired,
                &mut stats.dropped,
                &mut stats.damaged,
            ]
            .into_iter()
            .enumerate()
            {
                *sum = row.get::<_, i64>(column)?.max(0).unsigned_abs();
            }
        }
        let mut oldest = self.db.prepare_cached(
            "SELECT enqueued_at FROM messages WHERE id =
             (SELECT min(id) FROM (SELECT min(id) AS id FROM ready WHERE topic = ?1
              UNION ALL SELECT min(id) FROM parked WHERE topic = ?1
              UNION ALL SELECT min(id) FROM leased WHERE topic = ?1))",
        )?;
        let oldest: Option<i64> = oldest.query_row([topic.id], |row| row.get(0)).optional()?;
        stats.oldest_age =
            oldest.map(|at| from_ms(now).duration_since(from_ms(at)).unwrap_or_default());
        Ok(stats)
    }
}
