//! Owners of leases.

use std::sync::Arc;

use rusqlite::params;

use super::{Owner, Sqlite, StoreResult};

impl Sqlite {
    pub(super) fn register_owner(&mut self, node: &str, timeout_ms: i64) -> StoreResult<i64> {
        let mut insert = self.db.prepare_cached(
            "INSERT INTO owners(node, beat, timeout_ms, process) VALUES (?1, 0, ?2, ?3)",
        )?;
        Ok(insert.insert(params![node, timeout_ms, std::process::id()])?)
    }

    pub(super) fn beat_owner(&mut self, owner: i64) -> StoreResult<bool> {
        let mut beat = self
            .db
            .prepare_cached("UPDATE owners SET beat = beat + 1 WHERE owner = ?1")?;
        Ok(beat.execute([owner])? > 0)
    }

    pub(super) fn all_owners(&mut self) -> StoreResult<Vec<Owner>> {
        let mut select = self
            .db
            .prepare_cached("SELECT owner, node, beat, timeout_ms FROM owners")?;
        let owners = select.query_map([], |row| {
            Ok(Owner {
                owner: row.get(0)?,
                node: row.get(1)?,
                beat: row.get(2)?,
                timeout_ms: row.get(3)?,
            })
        })?;
        Ok(owners.collect::<Result<_, _>>()?)
    }

    pub(super) fn expire_owner(&mut self, owner: i64) -> StoreResult<u64> {
        let mut expired = 0;
        for (topic, count) in self.leases_of(owner)? {
            self.tally(topic).expired += count;
            expired += count.unsigned_abs();
        }
        if expired > 0 {
            let mut back = self.db.prepare_cached(
                "INSERT INTO ready(topic, rank, id, deliveries, size)
                 SELECT topic, rank, id, deliveries, size FROM leased WHERE owner = ?1",
            )?;
            back.execute([owner])?;
            self.db
                .prepare_cached("DELETE FROM leased WHERE owner = ?1")?
                .execute([owner])?;
            let mut keys = self
                .db
                .prepare_cached("DELETE FROM held WHERE owner = ?1 RETURNING topic, key")?;
            let keys: Vec<(i64, Arc<str>)> = keys
                .query_map([owner], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            for (topic, key) in keys {
                self.unpark(topic, &key)?;
            }
        }
        self.db
            .prepare_cached("UPDATE groups SET owner = 0 WHERE owner = ?1")?
            .execute([owner])?;
        self.db
            .prepare_cached("DELETE FROM owners WHERE owner = ?1")?
            .execute([owner])?;
        Ok(expired)
    }

    /// Counts the leases of an owner, by topic.
    fn leases_of(&self, owner: i64) -> StoreResult<Vec<(i64, i64)>> {
        let mut counts = self
            .db
            .prepare_cached("SELECT topic, count(*) FROM leased WHERE owner = ?1 GROUP BY topic")?;
        let counts = counts.query_map([owner], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(counts.collect::<Result<_, _>>()?)
    }
}
