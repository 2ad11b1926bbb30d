//! Verdicts.

use std::sync::Arc;

use rusqlite::{OptionalExtension, params};

use super::sqlite::expect_rows;
use super::{Sqlite, StoreResult};
use crate::clock::delay_ms;
use crate::{Settled, Verdict};

/// From how many acknowledged messages in a row on, statements over ranges are cheaper.
const RUN: usize = 4;

/// A row of `leased`.
struct Lease {
    topic: i64,
    rank: i64,
    owner: i64,
    epoch: u32,
    deliveries: u32,
    size: i64,
    ordered: bool,
}

impl Sqlite {
    pub(super) fn settle_all(
        &mut self,
        owner: i64,
        settled: &mut [Settled],
        now: i64,
        ready: &mut dyn FnMut(i64, i64),
    ) -> StoreResult {
        // In the order of their numbers, whatever the order in which handlers ended: there
        // are more in a row then.
        let mut settled: Vec<&mut Settled> = settled.iter_mut().collect();
        settled.sort_by_key(|one| one.token.id);
        let follows = |a: &&mut Settled, b: &&mut Settled| {
            a.verdict == Verdict::Ack
                && b.verdict == Verdict::Ack
                && b.token.id == a.token.id.wrapping_add(1)
        };
        for run in settled.chunk_by_mut(follows) {
            if run.len() >= RUN && self.ack_run(owner, run)? {
                continue;
            }
            for one in run {
                self.settle_one(owner, one, now, ready)?;
            }
        }
        Ok(())
    }

    /// Acknowledges messages with consecutive numbers. Returns false, and does nothing, if
    /// they have to be looked at one by one.
    fn ack_run(&mut self, owner: i64, run: &[&mut Settled]) -> StoreResult<bool> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            return Ok(true);
        };
        let range = (number(first.token.id), number(last.token.id));
        let mut sizes: Vec<(i64, i64, i64)> = Vec::new();
        {
            let mut select = self.db.prepare_cached(
                "SELECT leased.id, leased.owner, leased.epoch, leased.topic, leased.size, topics.ordered
                 FROM leased JOIN topics ON topics.id = leased.topic WHERE leased.id BETWEEN ?1 AND ?2",
            )?;
            let mut rows = select.query(params![range.0, range.1])?;
            let mut expected = run.iter();
            while let Some(row) = rows.next()? {
                let Some(one) = expected.next() else {
                    return Ok(false);
                };
                let current = row.get::<_, i64>(0)? == number(one.token.id)
                    && row.get::<_, i64>(1)? == owner
                    && row.get::<_, u32>(2)? == one.token.epoch;
                let ordered: bool = row.get(5)?;
                if !current || ordered {
                    return Ok(false);
                }
                let (topic, size): (i64, i64) = (row.get(3)?, row.get(4)?);
                match sizes.last_mut() {
                    Some((known, count, sum)) if *known == topic => {
                        *count += 1;
                        *sum += size;
                    }
                    _ => sizes.push((topic, 1, size)),
                }
            }
            if expected.next().is_some() {
                return Ok(false);
            }
        }
        for sql in [
            "DELETE FROM leased WHERE id BETWEEN ?1 AND ?2",
            "DELETE FROM messages WHERE id BETWEEN ?1 AND ?2",
        ] {
            let mut delete = self.db.prepare_cached(sql)?;
            expect_rows(delete.execute(params![range.0, range.1])?, run.len())?;
        }
        for (topic, count, size) in sizes {
            let tally = self.tally(topic);
            tally.messages -= count;
            tally.bytes -= size;
            tally.acked += count;
        }
        Ok(true)
    }

    fn settle_one(
        &mut self,
        owner: i64,
        settled: &mut Settled,
        now: i64,
        ready: &mut dyn FnMut(i64, i64),
    ) -> StoreResult {
        let id = number(settled.token.id);
        let lease = self
            .find_lease(id)?
            .filter(|lease| lease.owner == owner && lease.epoch == settled.token.epoch);
        let Some(lease) = lease else {
            settled.stale = true;
            self.db
                .prepare_cached("UPDATE queue SET stale = stale + 1")?
                .execute([])?;
            return Ok(());
        };
        self.db
            .prepare_cached("DELETE FROM leased WHERE id = ?1")?
            .execute([id])?;
        let key = if lease.ordered {
            self.key_of(id)?
        } else {
            None
        };
        let topic = lease.topic;
        let mut holds = false;
        match settled.verdict {
            Verdict::Ack => {
                self.db
                    .prepare_cached("DELETE FROM messages WHERE id = ?1")?
                    .execute([id])?;
                let tally = self.tally(topic);
                tally.remove(lease.size);
                tally.acked += 1;
            }
            Verdict::Release => {
                self.put_ready(
                    topic,
                    lease.rank,
                    id,
                    lease.deliveries.saturating_sub(1),
                    lease.size,
                )?;
                self.tally(topic).released += 1;
                ready(topic, now);
            }
            Verdict::Retry(delay) => {
                let due_at = now.saturating_add(delay_ms(delay));
                if due_at > now {
                    self.put_delayed(topic, due_at, id, lease.rank, lease.deliveries, lease.size)?;
                } else {
                    self.put_ready(topic, lease.rank, id, lease.deliveries, lease.size)?;
                }
                self.tally(topic).retried += 1;
                ready(topic, due_at);
                holds = true;
            }
            Verdict::Reject => {
                let reason = settled
                    .reason
                    .as_deref()
                    .unwrap_or("rejected without a reason");
                self.put_dead(
                    topic,
                    id,
                    now,
                    lease.rank,
                    lease.deliveries,
                    lease.size,
                    reason,
                )?;
                let tally = self.tally(topic);
                tally.remove(lease.size);
                tally.rejected += 1;
            }
        }
        let Some(key) = key else { return Ok(()) };
        if holds {
            self.hold(topic, &key, id, 0)?;
        } else if self.let_go(topic, &key, id)? {
            ready(topic, now);
        }
        Ok(())
    }

    fn find_lease(&self, id: i64) -> StoreResult<Option<Lease>> {
        let mut find = self.db.prepare_cached(
            "SELECT leased.topic, leased.rank, leased.owner, leased.epoch, leased.deliveries, leased.size, topics.ordered
             FROM leased JOIN topics ON topics.id = leased.topic WHERE leased.id = ?1",
        )?;
        let lease = find.query_row([id], |row| {
            Ok(Lease {
                topic: row.get(0)?,
                rank: row.get(1)?,
                owner: row.get(2)?,
                epoch: row.get(3)?,
                deliveries: row.get(4)?,
                size: row.get(5)?,
                ordered: row.get(6)?,
            })
        });
        Ok(lease.optional()?)
    }

    fn key_of(&self, id: i64) -> StoreResult<Option<Arc<str>>> {
        let mut find = self
            .db
            .prepare_cached("SELECT key FROM messages WHERE id = ?1")?;
        Ok(find.query_row([id], |row| row.get(0)).optional()?.flatten())
    }
}

/// The number of a message in the file. One that no message has stays one.
pub(super) fn number(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}
