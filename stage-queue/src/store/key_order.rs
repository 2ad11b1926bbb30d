//! Ordered topics: messages of one key wait for each other.
//!
//! A message that is leased, or waits to be retried, holds its key: a row of `held`. One that has
//! to wait for an earlier one of its key is moved to `parked`, out of the way of those who look
//! for messages. When nothing holds the key any more, all of its parked messages are ready again.

use std::sync::Arc;

use rusqlite::{OptionalExtension, params};

use super::lease::{Candidate, is_leasable};
use super::{LeaseReport, LeaseRequest, Sqlite, StoreResult, TopicRow};
use crate::Leased;

/// How many messages of an ordered topic one lease looks at.
const LOOKED_AT: usize = 10_000;

impl Sqlite {
    pub(super) fn lease_in_key_order(
        &mut self,
        topic: TopicRow,
        request: LeaseRequest,
        out: &mut Vec<Leased>,
        report: &mut LeaseReport,
    ) -> StoreResult<bool> {
        const START: (i64, i64) = (i64::MIN, i64::MIN);
        let mut after = START;
        let mut left = request.count;
        let mut looked_at = 0;
        while left > 0 {
            if looked_at >= LOOKED_AT {
                return Ok(true);
            }
            let found = self.candidates(topic, after, left)?;
            let Some(last) = found.last() else {
                return Ok(false);
            };
            after = (last.rank, last.id);
            looked_at += found.len();
            for one in found {
                let key = one.body.as_ref().and_then(|body| body.key.clone());
                self.delete_ready(topic, &one)?;
                let mut unparked = false;
                match &key {
                    Some(key) if self.waits_behind(topic, key, one.id, request.owner)? => {
                        // Out of the way, so that the next lease need not look at it. It
                        // holds nobody up itself any more: those behind it are parked, too.
                        self.park(topic.id, key, &one)?;
                        if self.let_go(topic.id, key, one.id)? {
                            after = START;
                            break;
                        }
                        continue;
                    }
                    Some(key) if is_leasable(&one, request) => {
                        self.hold(topic.id, key, one.id, request.owner)?;
                    }
                    // A dead letter holds nobody up, if it was waiting to be retried before.
                    Some(key) => unparked = self.let_go(topic.id, key, one.id)?,
                    None if one.body.is_none() => {
                        unparked = self.let_go_damaged(topic.id, one.id)?;
                    }
                    None => {}
                }
                if is_leasable(&one, request) {
                    self.put_leased(topic, &one, request)?;
                    left -= 1;
                }
                self.give_or_bury(topic, one, request, out, report)?;
                if unparked {
                    // Earlier messages of the key are ready now: they come before what else
                    // was found.
                    after = START;
                    break;
                }
            }
        }
        Ok(false)
    }

    /// Whether a message has to wait for an earlier one of its key.
    fn waits_behind(&self, topic: TopicRow, key: &str, id: i64, owner: i64) -> StoreResult<bool> {
        let mut find = self.db.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM held WHERE topic = ?1 AND key = ?2 AND id < ?3 AND owner <> ?4)
             OR EXISTS (SELECT 1 FROM parked WHERE topic = ?1 AND key = ?2 AND id < ?3)",
        )?;
        Ok(find.query_row(params![topic.id, key, id, owner], |row| row.get(0))?)
    }

    /// Later messages of the key wait for this one, unless they are of the same owner.
    pub(super) fn hold(&self, topic: i64, key: &str, id: i64, owner: i64) -> StoreResult {
        let mut hold = self.db.prepare_cached(
            "INSERT OR REPLACE INTO held(topic, key, id, owner) VALUES (?1, ?2, ?3, ?4)",
        )?;
        hold.execute(params![topic, key, id, owner])?;
        Ok(())
    }

    fn park(&self, topic: i64, key: &str, one: &Candidate) -> StoreResult {
        let mut park = self.db.prepare_cached(
            "INSERT INTO parked(topic, key, id, deliveries, size) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        park.execute(params![topic, key, one.id, one.deliveries, one.size])?;
        Ok(())
    }

    /// Nothing waits for this message any more. Those that waited for this key are ready if
    /// nothing else holds it. Returns whether there were any.
    pub(super) fn let_go(&self, topic: i64, key: &str, id: i64) -> StoreResult<bool> {
        let mut delete = self
            .db
            .prepare_cached("DELETE FROM held WHERE topic = ?1 AND key = ?2 AND id = ?3")?;
        if delete.execute(params![topic, key, id])? == 0 {
            return Ok(false);
        }
        self.unpark(topic, key)
    }

    /// As [`let_go`](Self::let_go), for a message whose key cannot be read.
    pub(super) fn let_go_damaged(&self, topic: i64, id: i64) -> StoreResult<bool> {
        let mut delete = self
            .db
            .prepare_cached("DELETE FROM held WHERE id = ?1 RETURNING key")?;
        let key: Option<Arc<str>> = delete.query_row([id], |row| row.get(0)).optional()?;
        key.map_or(Ok(false), |key| self.unpark(topic, &key))
    }

    pub(super) fn unpark(&self, topic: i64, key: &str) -> StoreResult<bool> {
        let mut held = self
            .db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM held WHERE topic = ?1 AND key = ?2)")?;
        if held.query_row(params![topic, key], |row| row.get(0))? {
            return Ok(false);
        }
        let mut unpark = self.db.prepare_cached(
            "INSERT INTO ready(topic, rank, id, deliveries, size)
             SELECT topic, 0, id, deliveries, size FROM parked WHERE topic = ?1 AND key = ?2",
        )?;
        let unparked = unpark.execute(params![topic, key])? > 0;
        if unparked {
            let mut delete = self
                .db
                .prepare_cached("DELETE FROM parked WHERE topic = ?1 AND key = ?2")?;
            delete.execute(params![topic, key])?;
        }
        Ok(unparked)
    }
}
