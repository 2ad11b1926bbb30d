//! Dead letters.

use std::sync::Arc;

use rusqlite::params;

use super::enqueue::{checksum, read_headers};
use super::settle::number;
use super::{Sqlite, StoreResult, TopicRow};
use crate::clock::from_ms;
use crate::{DeadLetter, MessageId};

impl Sqlite {
    #[allow(clippy::too_many_arguments, reason = "they are the columns of the row")]
    pub(super) fn put_dead(
        &self,
        topic: i64,
        id: i64,
        rejected_at: i64,
        rank: i64,
        deliveries: u32,
        size: i64,
        reason: &str,
    ) -> StoreResult {
        let mut insert = self.db.prepare_cached(
            "INSERT INTO dead(topic, id, rejected_at, rank, deliveries, size, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        insert.execute(params![
            topic,
            id,
            rejected_at,
            rank,
            deliveries,
            size,
            reason
        ])?;
        Ok(())
    }

    pub(super) fn list_dead(
        &mut self,
        topic: TopicRow,
        after: Option<MessageId>,
        count: usize,
    ) -> StoreResult<Vec<DeadLetter>> {
        let mut select = self.db.prepare_cached(
            "SELECT dead.id, dead.rejected_at, dead.deliveries, dead.reason,
             messages.payload, messages.key, messages.headers, messages.enqueued_at, messages.checksum
             FROM dead LEFT JOIN messages ON messages.id = dead.id
             WHERE dead.topic = ?1 AND dead.id > ?2 ORDER BY dead.id LIMIT ?3",
        )?;
        let after = after.map_or(i64::MIN, |after| number(after.0));
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let mut rows = select.query(params![topic.id, after, count])?;
        let mut letters = Vec::new();
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            // What is damaged is shown as far as it can be read.
            let payload: Vec<u8> = row.get(4).unwrap_or_default();
            let key: Option<Arc<str>> = row.get(5).unwrap_or_default();
            let headers: Option<String> = row.get(6).unwrap_or_default();
            let sum = checksum(id, key.as_deref(), headers.as_deref(), &payload);
            letters.push(DeadLetter {
                id: MessageId(id.unsigned_abs()),
                reason: row.get(3)?,
                deliveries: row.get(2)?,
                rejected_at: from_ms(row.get(1)?),
                damaged: row.get::<_, i64>(8).ok() != Some(sum),
                payload,
                key,
                headers: read_headers(headers.as_deref()).unwrap_or_default(),
                enqueued_at: from_ms(row.get(7).unwrap_or_default()),
            });
        }
        Ok(letters)
    }

    pub(super) fn revive_dead(
        &mut self,
        topic: TopicRow,
        one: Option<MessageId>,
    ) -> StoreResult<u64> {
        let (first, last) = range(one);
        let mut sum = self.db.prepare_cached("SELECT count(*), coalesce(sum(size), 0) FROM dead WHERE topic = ?1 AND id BETWEEN ?2 AND ?3")?;
        let (count, size): (i64, i64) = sum.query_row(params![topic.id, first, last], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        drop(sum);
        let mut ready = self.db.prepare_cached(
            "INSERT INTO ready(topic, rank, id, deliveries, size)
             SELECT topic, rank, id, 0, size FROM dead WHERE topic = ?1 AND id BETWEEN ?2 AND ?3",
        )?;
        ready.execute(params![topic.id, first, last])?;
        drop(ready);
        self.db
            .prepare_cached("DELETE FROM dead WHERE topic = ?1 AND id BETWEEN ?2 AND ?3")?
            .execute(params![topic.id, first, last])?;
        let tally = self.tally(topic.id);
        tally.messages += count;
        tally.bytes += size;
        Ok(count.unsigned_abs())
    }

    pub(super) fn clear_dead(
        &mut self,
        topic: TopicRow,
        one: Option<MessageId>,
    ) -> StoreResult<u64> {
        let (first, last) = range(one);
        let mut messages = self.db.prepare_cached(
            "DELETE FROM messages WHERE id IN (SELECT id FROM dead WHERE topic = ?1 AND id BETWEEN ?2 AND ?3)",
        )?;
        messages.execute(params![topic.id, first, last])?;
        drop(messages);
        let mut dead = self
            .db
            .prepare_cached("DELETE FROM dead WHERE topic = ?1 AND id BETWEEN ?2 AND ?3")?;
        Ok(dead.execute(params![topic.id, first, last])? as u64)
    }
}

fn range(one: Option<MessageId>) -> (i64, i64) {
    one.map_or((i64::MIN, i64::MAX), |one| (number(one.0), number(one.0)))
}
