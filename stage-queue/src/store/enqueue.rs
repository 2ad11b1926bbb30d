//! Enqueueing.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{Amount, Sqlite, StoreResult, TopicRow};
use crate::error::{StoreError, StoreErrorKind};
use crate::message::{Enqueued, MessageId, NewMessage};

/// A header in the file: text stays readable for other tools.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum HeaderValue {
    Text(String),
    Bytes(Vec<u8>),
}

pub(super) fn write_headers(headers: &[(String, Vec<u8>)]) -> Option<String> {
    if headers.is_empty() {
        return None;
    }
    let headers: Vec<(&str, HeaderValue)> = headers
        .iter()
        .map(|(name, value)| {
            let value = match std::str::from_utf8(value) {
                Ok(text) => HeaderValue::Text(text.to_owned()),
                Err(_) => HeaderValue::Bytes(value.clone()),
            };
            (name.as_str(), value)
        })
        .collect();
    serde_json::to_string(&headers).ok()
}

/// Headers that cannot be read are damaged, which the checksum has found before.
pub(super) fn read_headers(headers: Option<&str>) -> Option<Vec<(String, Vec<u8>)>> {
    let Some(headers) = headers else {
        return Some(Vec::new());
    };
    let headers: Vec<(String, HeaderValue)> = serde_json::from_str(headers).ok()?;
    Some(
        headers
            .into_iter()
            .map(|(name, value)| match value {
                HeaderValue::Text(text) => (name, text.into_bytes()),
                HeaderValue::Bytes(bytes) => (name, bytes),
            })
            .collect(),
    )
}

/// A CRC-32 over what a bit that flips on the disk could change without anybody noticing.
pub(super) fn checksum(id: i64, key: Option<&str>, headers: Option<&str>, payload: &[u8]) -> i64 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&id.to_le_bytes());
    for part in [key, headers].into_iter().flatten() {
        sum.update(part.as_bytes());
        sum.update(&[0xff]);
    }
    sum.update(payload);
    i64::from(sum.finalize())
}

impl Sqlite {
    pub(super) fn enqueue_one(
        &mut self,
        topic: TopicRow,
        message: &NewMessage,
        now: i64,
    ) -> StoreResult<Enqueued> {
        let id = self.next_id()?;
        if let Some(deduplicated) = &message.deduplicated {
            let mut find = self.db.prepare_cached(
                "SELECT id FROM deduplication WHERE topic = ?1 AND key = ?2 AND until > ?3",
            )?;
            let earlier: Option<i64> = find
                .query_row(params![topic.id, deduplicated.key, now], |row| row.get(0))
                .optional()?;
            if let Some(earlier) = earlier {
                drop(find);
                self.tally(topic.id).duplicates += 1;
                return Ok(Enqueued {
                    id: MessageId(earlier.unsigned_abs()),
                    duplicate: true,
                });
            }
            let mut note = self.db.prepare_cached("INSERT OR REPLACE INTO deduplication(topic, key, id, until) VALUES (?1, ?2, ?3, ?4)")?;
            note.execute(params![
                topic.id,
                deduplicated.key,
                id,
                now.saturating_add(deduplicated.within_ms)
            ])?;
        }
        let headers = write_headers(&message.headers);
        let checksum = checksum(
            id,
            message.key.as_deref(),
            headers.as_deref(),
            &message.payload,
        );
        let mut insert = self.db.prepare_cached(
            "INSERT INTO messages(id, topic, enqueued_at, key, headers, checksum, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        insert.execute(params![
            id,
            topic.id,
            now,
            message.key,
            headers,
            checksum,
            message.payload
        ])?;
        drop(insert);
        let size = i64::try_from(message.size()).unwrap_or(i64::MAX);
        let rank = -i64::from(message.priority);
        let due_at = message.due_at(now);
        if due_at > now {
            self.put_delayed(topic.id, due_at, id, rank, 0, size)?;
        } else {
            self.put_ready(topic.id, rank, id, 0, size)?;
        }
        let tally = self.tally(topic.id);
        tally.add(size);
        tally.enqueued += 1;
        self.next_id = Some(id + 1);
        Ok(Enqueued {
            id: MessageId(id.unsigned_abs()),
            duplicate: false,
        })
    }

    pub(super) fn put_ready(
        &self,
        topic: i64,
        rank: i64,
        id: i64,
        deliveries: u32,
        size: i64,
    ) -> StoreResult {
        let mut insert = self.db.prepare_cached(
            "INSERT INTO ready(topic, rank, id, deliveries, size) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        insert.execute(params![topic, rank, id, deliveries, size])?;
        Ok(())
    }

    pub(super) fn put_delayed(
        &self,
        topic: i64,
        due_at: i64,
        id: i64,
        rank: i64,
        deliveries: u32,
        size: i64,
    ) -> StoreResult {
        let mut insert = self.db.prepare_cached("INSERT INTO delayed(topic, due_at, id, rank, deliveries, size) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        insert.execute(params![topic, due_at, id, rank, deliveries, size])?;
        Ok(())
    }

    /// Ids are never used again, also not after the newest message is deleted, so that a
    /// verdict can never meet another message.
    pub(super) fn next_id(&mut self) -> StoreResult<i64> {
        if let Some(next) = self.next_id {
            return Ok(next);
        }
        let next: i64 = self
            .db
            .prepare_cached("SELECT next_id FROM queue")?
            .query_row([], |row| row.get(0))?;
        if next <= 0 {
            return Err(StoreError::new(
                StoreErrorKind::Damaged,
                format!("the next message would have the number {next}"),
            ));
        }
        self.next_id = Some(next);
        Ok(next)
    }

    pub(super) fn write_next_id(&mut self) -> StoreResult {
        if let Some(next) = self.next_id.take() {
            self.db
                .prepare_cached("UPDATE queue SET next_id = ?1")?
                .execute([next])?;
        }
        Ok(())
    }

    pub(super) fn drop_oldest(&mut self, topic: TopicRow, room: Amount) -> StoreResult<bool> {
        let Some(oldest) = self.oldest_ready(topic, room)? else {
            return Ok(false);
        };
        let mut ready = self
            .db
            .prepare_cached("DELETE FROM ready WHERE topic = ?1 AND rank = ?2 AND id = ?3")?;
        let mut message = self
            .db
            .prepare_cached("DELETE FROM messages WHERE id = ?1")?;
        let mut bytes = 0;
        for (rank, id, size) in &oldest {
            ready.execute(params![topic.id, rank, id])?;
            message.execute([id])?;
            bytes += size;
        }
        drop((ready, message));
        let count = i64::try_from(oldest.len()).unwrap_or(i64::MAX);
        let tally = self.tally(topic.id);
        tally.messages -= count;
        tally.bytes -= bytes;
        tally.dropped += count;
        Ok(true)
    }

    /// Finds the messages to drop, as rank, id and size; none if there are not enough.
    fn oldest_ready(
        &self,
        topic: TopicRow,
        room: Amount,
    ) -> StoreResult<Option<Vec<(i64, i64, i64)>>> {
        let mut lowest = self
            .db
            .prepare_cached("SELECT max(rank) FROM ready WHERE topic = ?1 AND rank < ?2")?;
        let mut select = self.db.prepare_cached(
            "SELECT id, size FROM ready WHERE topic = ?1 AND rank = ?2 ORDER BY id",
        )?;
        let mut found = Vec::new();
        let (mut messages, mut bytes) = (0, 0);
        let mut above = i64::MAX;
        while let Some(rank) =
            lowest.query_row(params![topic.id, above], |row| row.get::<_, Option<i64>>(0))?
        {
            let mut rows = select.query(params![topic.id, rank])?;
            while let Some(row) = rows.next()? {
                let (id, size): (i64, i64) = (row.get(0)?, row.get(1)?);
                found.push((rank, id, size));
                messages += 1;
                bytes += size.unsigned_abs();
                if messages >= room.messages && bytes >= room.bytes {
                    return Ok(Some(found));
                }
            }
            above = rank;
        }
        Ok(None)
    }
}
