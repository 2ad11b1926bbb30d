//! Logs.

use std::sync::Arc;

use rusqlite::{OptionalExtension, params};

use super::enqueue::{checksum, read_headers, write_headers};
use super::settle::number;
use super::{LogRow, Sqlite, StoreResult};
use crate::clock::{from_ms, to_ms};
use crate::log::Retention;
use crate::{GroupStats, LogEntry, LogStats, MessageId, NewMessage, StartAt};

/// The most entries that are deleted at once: a bound on how long it takes.
const TRIMMED: i64 = 10_000;

/// A group, as it is in the store.
struct GroupRow {
    mark: i64,
    read: i64,
    owner: i64,
}

impl Sqlite {
    pub(super) fn find_or_create_log(&mut self, name: &str) -> StoreResult<LogRow> {
        let mut find = self
            .db
            .prepare_cached("SELECT id FROM logs WHERE name = ?1")?;
        if let Some(id) = find.query_row([name], |row| row.get(0)).optional()? {
            return Ok(LogRow { id });
        }
        let id = self
            .db
            .prepare_cached("INSERT INTO logs(name) VALUES (?1)")?
            .insert([name])?;
        Ok(LogRow { id })
    }

    pub(super) fn append_entry(
        &mut self,
        log: LogRow,
        entry: &NewMessage,
        now: i64,
    ) -> StoreResult<MessageId> {
        let id = self.next_id()?;
        let headers = write_headers(&entry.headers);
        let checksum = checksum(id, entry.key.as_deref(), headers.as_deref(), &entry.payload);
        let size = i64::try_from(entry.size()).unwrap_or(i64::MAX);
        let mut insert = self.db.prepare_cached(
            "INSERT INTO entries(id, log, appended_at, size, key, headers, checksum, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        insert.execute(params![
            id,
            log.id,
            now,
            size,
            entry.key,
            headers,
            checksum,
            entry.payload
        ])?;
        let mut count = self.db.prepare_cached(
            "UPDATE logs SET entries = entries + 1, bytes = bytes + ?2 WHERE id = ?1",
        )?;
        count.execute(params![log.id, size])?;
        drop((insert, count));
        self.next_id = Some(id + 1);
        Ok(MessageId(id.unsigned_abs()))
    }

    /// Takes a group for an owner; creates it if it is new. Returns its mark, or none if it has
    /// another reader.
    pub(super) fn take_log_group(
        &mut self,
        log: LogRow,
        name: &str,
        owner: i64,
        start: StartAt,
    ) -> StoreResult<Option<u64>> {
        let mark = match self.find_group(log, name)? {
            Some(group) if group.owner != 0 => return Ok(None),
            Some(group) => {
                let mut take = self
                    .db
                    .prepare_cached("UPDATE groups SET owner = ?3 WHERE log = ?1 AND name = ?2")?;
                take.execute(params![log.id, name, owner])?;
                group.mark
            }
            None => {
                let mark = self.mark_before(log, start)?;
                let mut create = self.db.prepare_cached(
                    "INSERT INTO groups(log, name, mark, read, owner) VALUES (?1, ?2, ?3, ?3, ?4)",
                )?;
                create.execute(params![log.id, name, mark, owner])?;
                mark
            }
        };
        Ok(Some(mark.max(0).unsigned_abs()))
    }

    pub(super) fn leave_log_group(&mut self, log: LogRow, name: &str, owner: i64) -> StoreResult {
        let mut leave = self.db.prepare_cached(
            "UPDATE groups SET owner = 0 WHERE log = ?1 AND name = ?2 AND owner = ?3",
        )?;
        leave.execute(params![log.id, name, owner])?;
        Ok(())
    }

    pub(super) fn forget_log_group(&mut self, log: LogRow, name: &str) -> StoreResult<bool> {
        if self
            .find_group(log, name)?
            .is_some_and(|group| group.owner != 0)
        {
            return Ok(false);
        }
        self.db
            .prepare_cached("DELETE FROM groups WHERE log = ?1 AND name = ?2")?
            .execute(params![log.id, name])?;
        Ok(true)
    }

    /// Reads entries. None if the group is not the owner's any more.
    pub(super) fn read_entries(
        &mut self,
        log: LogRow,
        name: &str,
        owner: i64,
        after: u64,
        count: usize,
    ) -> StoreResult<Option<Vec<LogEntry>>> {
        let Some(group) = self
            .find_group(log, name)?
            .filter(|group| group.owner == owner)
        else {
            return Ok(None);
        };
        let mut select = self.db.prepare_cached(
            "SELECT id, appended_at, key, headers, checksum, payload FROM entries WHERE log = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        )?;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let mut rows = select.query(params![log.id, number(after), count])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            // What is damaged is shown as far as it can be read.
            let key: Option<Arc<str>> = row.get(2).unwrap_or_default();
            let headers: Option<String> = row.get(3).unwrap_or_default();
            let payload: Vec<u8> = row.get(5).unwrap_or_default();
            let sum = checksum(id, key.as_deref(), headers.as_deref(), &payload);
            entries.push(LogEntry {
                id: MessageId(id.unsigned_abs()),
                redelivered: id <= group.read,
                damaged: row.get::<_, i64>(4).ok() != Some(sum),
                payload,
                key,
                headers: read_headers(headers.as_deref()).unwrap_or_default(),
                appended_at: from_ms(row.get(1).unwrap_or_default()),
            });
        }
        drop(rows);
        if let Some(last) = entries.last() {
            let last = number(last.id.0);
            if last > group.read {
                let mut note = self
                    .db
                    .prepare_cached("UPDATE groups SET read = ?3 WHERE log = ?1 AND name = ?2")?;
                note.execute(params![log.id, name, last])?;
            }
        }
        Ok(Some(entries))
    }

    /// Sets the mark of a group. Returns whether the group is the owner's.
    pub(super) fn commit_entries(
        &mut self,
        log: LogRow,
        name: &str,
        owner: i64,
        id: MessageId,
    ) -> StoreResult<bool> {
        let mut commit = self.db.prepare_cached(
            "UPDATE groups SET mark = max(mark, ?4) WHERE log = ?1 AND name = ?2 AND owner = ?3",
        )?;
        Ok(commit.execute(params![log.id, name, owner, number(id.0)])? > 0)
    }

    /// Sets the mark of a group anywhere. Returns it, or none if the group is not the owner's.
    pub(super) fn seek_log_group(
        &mut self,
        log: LogRow,
        name: &str,
        owner: i64,
        to: StartAt,
    ) -> StoreResult<Option<u64>> {
        let mark = self.mark_before(log, to)?;
        let mut seek = self.db.prepare_cached(
            "UPDATE groups SET mark = ?4 WHERE log = ?1 AND name = ?2 AND owner = ?3",
        )?;
        let moved = seek.execute(params![log.id, name, owner, mark])? > 0;
        Ok(moved.then_some(mark.max(0).unsigned_abs()))
    }

    /// Deletes entries that need not be retained. Returns how many.
    pub(super) fn trim_log(&mut self, log: LogRow, retention: Retention) -> StoreResult<u64> {
        let read_by_all: Option<i64> = self
            .db
            .prepare_cached("SELECT min(mark) FROM groups WHERE log = ?1")?
            .query_row([log.id], |row| row.get(0))?;
        let read_by_all = read_by_all.unwrap_or(i64::MAX);
        let (entries, mut bytes): (i64, i64) = self
            .db
            .prepare_cached("SELECT entries, bytes FROM logs WHERE id = ?1")?
            .query_row([log.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (mut trimmed, mut dropped, mut last) = (0_i64, 0_i64, None);
        {
            let before = bytes;
            let mut select = self.db.prepare_cached(
                "SELECT id, appended_at, size FROM entries WHERE log = ?1 ORDER BY id LIMIT ?2",
            )?;
            // The newest entry stays, so that the log never ends before it has begun.
            let mut rows = select.query(params![log.id, TRIMMED.min(entries - 1)])?;
            while let Some(row) = rows.next()? {
                let (id, at, size): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let old = retention.before.is_some_and(|before| at < before);
                let too_many = retention
                    .bytes
                    .is_some_and(|bound| bytes.unsigned_abs() > bound);
                let unread = id > read_by_all;
                if !(old || too_many) || (unread && !retention.drop_unread) {
                    break;
                }
                bytes -= size;
                trimmed += 1;
                dropped += i64::from(unread);
                last = Some(id);
            }
            bytes = before - bytes;
        }
        if let Some(last) = last {
            self.db
                .prepare_cached("DELETE FROM entries WHERE log = ?1 AND id <= ?2")?
                .execute(params![log.id, last])?;
            let mut count = self.db.prepare_cached(
                "UPDATE logs SET entries = entries - ?2, bytes = bytes - ?3, trimmed = trimmed + ?2, dropped = dropped + ?4 WHERE id = ?1",
            )?;
            count.execute(params![log.id, trimmed, bytes, dropped])?;
        }
        Ok(trimmed.unsigned_abs())
    }

    fn find_group(&self, log: LogRow, name: &str) -> StoreResult<Option<GroupRow>> {
        let mut find = self
            .db
            .prepare_cached("SELECT mark, read, owner FROM groups WHERE log = ?1 AND name = ?2")?;
        let group = find.query_row(params![log.id, name], |row| {
            Ok(GroupRow {
                mark: row.get(0)?,
                read: row.get(1)?,
                owner: row.get(2)?,
            })
        });
        Ok(group.optional()?)
    }

    /// The mark behind which reading begins at `start`.
    fn mark_before(&self, log: LogRow, start: StartAt) -> StoreResult<i64> {
        match start {
            StartAt::Oldest => Ok(0),
            StartAt::Newest => {
                let newest: Option<i64> = self
                    .db
                    .prepare_cached("SELECT max(id) FROM entries WHERE log = ?1")?
                    .query_row([log.id], |row| row.get(0))?;
                Ok(newest.unwrap_or(0))
            }
            StartAt::Id(id) => Ok(number(id.0).saturating_sub(1)),
            StartAt::Time(time) => self.mark_before_time(log, to_ms(time)),
        }
    }

    /// Times increase with numbers, so the place is found by halving.
    fn mark_before_time(&self, log: LogRow, time: i64) -> StoreResult<i64> {
        let mut ends = self
            .db
            .prepare_cached("SELECT min(id), max(id) FROM entries WHERE log = ?1")?;
        let (first, last): (Option<i64>, Option<i64>) =
            ends.query_row([log.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (Some(mut low), Some(last)) = (first, last) else {
            return Ok(0);
        };
        let mut high = last.saturating_add(1);
        let mut probe = self.db.prepare_cached(
            "SELECT appended_at FROM entries WHERE log = ?1 AND id >= ?2 ORDER BY id LIMIT 1",
        )?;
        while low < high {
            let middle = low + (high - low) / 2;
            let at: Option<i64> = probe
                .query_row(params![log.id, middle], |row| row.get(0))
                .optional()?;
            if at.is_none_or(|at| at >= time) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low - 1)
    }

    pub(super) fn log_stats_of(&mut self, now: i64) -> StoreResult<Vec<LogStats>> {
        let mut select = self.db.prepare_cached(
            "SELECT id, name, entries, bytes, trimmed, dropped,
             (SELECT appended_at FROM entries WHERE log = logs.id ORDER BY id LIMIT 1) FROM logs ORDER BY name",
        )?;
        let mut groups = self.db.prepare_cached(
            "SELECT name, mark, owner <> 0, (SELECT count(*) FROM entries WHERE log = ?1 AND id > mark) FROM groups WHERE log = ?1 ORDER BY name",
        )?;
        let mut rows = select.query([])?;
        let mut stats = Vec::new();
        let count = |count: i64| count.max(0).unsigned_abs();
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let groups = groups.query_map([id], |row| {
                Ok(GroupStats {
                    group: row.get(0)?,
                    mark: MessageId(count(row.get(1)?)),
                    has_reader: row.get(2)?,
                    lag: count(row.get(3)?),
                })
            })?;
            let oldest: Option<i64> = row.get(6)?;
            stats.push(LogStats {
                log: row.get(1)?,
                entries: count(row.get(2)?),
                bytes: count(row.get(3)?),
                trimmed: count(row.get(4)?),
                dropped: count(row.get(5)?),
                oldest_age: oldest
                    .map(|at| from_ms(now).duration_since(from_ms(at)).unwrap_or_default()),
                groups: groups.collect::<Result<_, _>>()?,
            });
        }
        Ok(stats)
    }
}
