//! Leasing.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, params};

use super::enqueue::{checksum, read_headers};
use super::sqlite::expect_rows;
use super::{LeaseReport, LeaseRequest, Sqlite, StoreResult, TopicRow};
use crate::clock::from_ms;
use crate::{Leased, MessageId, Token};

/// How many delayed messages become ready in one lease: a bound on how long it takes.
const PROMOTED: i64 = 10_000;
/// A row of `ready`, with its message.
pub(super) struct Candidate {
    pub(super) rank: i64,
    pub(super) id: i64,
    pub(super) deliveries: u32,
    pub(super) size: i64,
    /// None if it is damaged.
    pub(super) body: Option<Body>,
}

pub(super) struct Body {
    payload: Vec<u8>,
    pub(super) key: Option<Arc<str>>,
    headers: Vec<(String, Vec<u8>)>,
    enqueued_at: i64,
}

impl Sqlite {
    pub(super) fn lease_some(
        &mut self,
        topic: TopicRow,
        request: LeaseRequest,
        out: &mut Vec<Leased>,
    ) -> StoreResult<LeaseReport> {
        let mut next_due = self.next_due(topic)?;
        if next_due.is_some_and(|due| due <= request.now) {
            self.promote_due(topic, request.now)?;
            next_due = self.next_due(topic)?;
        }
        let mut report = LeaseReport::default();
        let more = if topic.ordered {
            self.lease_in_key_order(topic, request, out, &mut report)?
        } else {
            self.lease_in_order(topic, request, out, &mut report)?
        };
        report.next_due = if more { Some(request.now) } else { next_due };
        Ok(report)
    }

    /// Makes delayed messages ready whose time has come.
    fn promote_due(&mut self, topic: TopicRow, now: i64) -> StoreResult {
        let mut last = self.db.prepare_cached(
            "SELECT due_at FROM delayed WHERE topic = ?1 AND due_at <= ?2 ORDER BY due_at LIMIT 1 OFFSET ?3",
        )?;
        let last: Option<i64> = last
            .query_row(params![topic.id, now, PROMOTED], |row| row.get(0))
            .optional()?;
        let until = last.unwrap_or(now);
        let mut promote = self.db.prepare_cached(
            "INSERT INTO ready(topic, rank, id, deliveries, size)
             SELECT topic, rank, id, deliveries, size FROM delayed WHERE topic = ?1 AND due_at <= ?2",
        )?;
        promote.execute(params![topic.id, until])?;
        let mut delete = self
            .db
            .prepare_cached("DELETE FROM delayed WHERE topic = ?1 AND due_at <= ?2")?;
        delete.execute(params![topic.id, until])?;
        Ok(())
    }

    fn next_due(&self, topic: TopicRow) -> StoreResult<Option<i64>> {
        let mut next = self.db.prepare_cached(
            "SELECT due_at FROM delayed WHERE topic = ?1 ORDER BY due_at LIMIT 1",
        )?;
        Ok(next.query_row([topic.id], |row| row.get(0)).optional()?)
    }

    /// Reads the first rows of `ready` after a place.
    pub(super) fn candidates(
        &self,
        topic: TopicRow,
        after: (i64, i64),
        count: usize,
    ) -> StoreResult<Vec<Candidate>> {
        let mut select = self.db.prepare_cached(
            "SELECT ready.rank, ready.id, ready.deliveries, ready.size,
             messages.payload, messages.key, messages.headers, messages.enqueued_at, messages.checksum
             FROM ready LEFT JOIN messages ON messages.id = ready.id
             WHERE ready.topic = ?1 AND (ready.rank, ready.id) > (?2, ?3)
             ORDER BY ready.rank, ready.id LIMIT ?4",
        )?;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let mut rows = select.query(params![topic.id, after.0, after.1, count])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let id = row.get(1)?;
            found.push(Candidate {
                rank: row.get(0)?,
                id,
                deliveries: row.get(2)?,
                size: row.get(3)?,
                body: Body::read(id, row),
            });
        }
        Ok(found)
    }

    fn lease_in_order(
        &mut self,
        topic: TopicRow,
        request: LeaseRequest,
        out: &mut Vec<Leased>,
        report: &mut LeaseReport,
    ) -> StoreResult<bool> {
        let found = self.candidates(topic, (i64::MIN, i64::MIN), request.count)?;
        let full = found.len() == request.count;
        let plain = |one: &Candidate| is_leasable(one, request);
        // Whatever is between the first and the last candidate of a rank is a candidate, so
        // one statement moves all of them.
        for run in found.chunk_by(|a, b| a.rank == b.rank) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else {
                continue;
            };
            let all_plain = run.iter().all(plain);
            if all_plain {
                let mut lease = self.db.prepare_cached(
                    "INSERT INTO leased(id, topic, rank, owner, epoch, deliveries, size)
                     SELECT id, topic, rank, ?5, ?6, deliveries + 1, size FROM ready
                     WHERE topic = ?1 AND rank = ?2 AND id BETWEEN ?3 AND ?4 ORDER BY id",
                )?;
                let leased = lease.execute(params![
                    topic.id,
                    first.rank,
                    first.id,
                    last.id,
                    request.owner,
                    request.epoch
                ])?;
                expect_rows(leased, run.len())?;
            } else {
                for one in run.iter().filter(|one| plain(one)) {
                    self.put_leased(topic, one, request)?;
                }
            }
            let mut delete = self.db.prepare_cached(
                "DELETE FROM ready WHERE topic = ?1 AND rank = ?2 AND id BETWEEN ?3 AND ?4",
            )?;
            let deleted = delete.execute(params![topic.id, first.rank, first.id, last.id])?;
            expect_rows(deleted, run.len())?;
        }
        let before = out.len();
        out.reserve(found.len());
        for one in found {
            self.give_or_bury(topic, one, request, out, report)?;
        }
        // Those that became dead letters have left room.
        Ok(full && out.len() - before < request.count)
    }

    pub(super) fn delete_ready(&self, topic: TopicRow, one: &Candidate) -> StoreResult {
        let mut delete = self
            .db
            .prepare_cached("DELETE FROM ready WHERE topic = ?1 AND rank = ?2 AND id = ?3")?;
        expect_rows(delete.execute(params![topic.id, one.rank, one.id])?, 1)
    }

    pub(super) fn put_leased(
        &self,
        topic: TopicRow,
        one: &Candidate,
        request: LeaseRequest,
    ) -> StoreResult {
        let mut insert = self.db.prepare_cached(
            "INSERT INTO leased(id, topic, rank, owner, epoch, deliveries, size) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let deliveries = one.deliveries.saturating_add(1);
        insert.execute(params![
            one.id,
            topic.id,
            one.rank,
            request.owner,
            request.epoch,
            deliveries,
            one.size
        ])?;
        Ok(())
    }

    /// Gives a message out, or makes it a dead letter if it must not be delivered.
    pub(super) fn give_or_bury(
        &mut self,
        topic: TopicRow,
        one: Candidate,
        request: LeaseRequest,
        out: &mut Vec<Leased>,
        report: &mut LeaseReport,
    ) -> StoreResult {
        let exhausted = is_exhausted(&one, request);
        let reason = match one.body {
            None => {
                report.damaged += 1;
                "the stored message is damaged: its checksum does not match".to_owned()
            }
            Some(_) if exhausted => {
                report.buried += 1;
                format!(
                    "delivered {} times without a verdict that ended it",
                    one.deliveries
                )
            }
            Some(body) => {
                out.push(Leased {
                    id: MessageId(one.id.unsigned_abs()),
                    token: Token::new(one.id.unsigned_abs(), request.epoch),
                    deliveries: one.deliveries.saturating_add(1),
                    payload: body.payload,
                    key: body.key,
                    priority: i16::try_from(-one.rank).unwrap_or_default(),
                    headers: body.headers,
                    enqueued_at: from_ms(body.enqueued_at),
                });
                return Ok(());
            }
        };
        self.put_dead(
            topic.id,
            one.id,
            request.now,
            one.rank,
            one.deliveries,
            one.size,
            &reason,
        )?;
        let tally = self.tally(topic.id);
        tally.remove(one.size);
        if exhausted {
            tally.rejected += 1;
        } else {
            tally.damaged += 1;
        }
        Ok(())
    }
}

pub(super) fn is_leasable(one: &Candidate, request: LeaseRequest) -> bool {
    one.body.is_some() && !is_exhausted(one, request)
}

fn is_exhausted(one: &Candidate, request: LeaseRequest) -> bool {
    one.body.is_some()
        && request
            .max_deliveries
            .is_some_and(|most| one.deliveries >= most)
}

impl Body {
    /// Reads what the columns after the fourth hold. None if the message is not there, or
    /// its checksum does not match.
    fn read(id: i64, row: &Row<'_>) -> Option<Self> {
        let payload: Vec<u8> = row.get(4).ok()?;
        let key: Option<Arc<str>> = row.get(5).ok()?;
        let headers = row.get_ref(6).ok()?.as_str_or_null().ok()?;
        let sum: i64 = row.get(8).ok()?;
        if sum != checksum(id, key.as_deref(), headers, &payload) {
            return None;
        }
        let headers = read_headers(headers)?;
        Some(Self {
            payload,
            key,
            headers,
            enqueued_at: row.get(7).ok()?,
        })
    }
}
