//! [`Tables`]: the tables of a queue, to look at.
//!
//! A queue is an SQLite file, so anything that reads SQLite can look into it while it is in
//! use. The connection cannot write, and each look is one short transaction: it sees the queue
//! as it was at one moment, and holds up no writer. A [`Queue`](stage_queue::Queue) would look
//! after dead processes, and clean up when it is closed. The tables are described in
//! `stage-queue/src/store/schema.rs`.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags, Row, named_params};
use serde::Serialize;
use serde_json::Value;
use stages::BoxError;

use crate::usage::UsageError;

/// `STGQ`: says that an SQLite file is a queue.
const APPLICATION_ID: i64 = 0x5354_4751;
/// The version of the tables that this reads.
const VERSION: i64 = 1;

/// Counts of a topic.
#[derive(Debug, Serialize)]
pub(crate) struct TopicCounts {
    pub(crate) topic: String,
    pub(crate) ready: u64,
    pub(crate) delayed: u64,
    pub(crate) leased: u64,
    pub(crate) dead: u64,
    /// Payloads, keys and headers of what is ready, delayed or leased.
    pub(crate) bytes: u64,
    /// How long the oldest of these has been in the queue.
    pub(crate) oldest_seconds: Option<f64>,
    pub(crate) enqueued: u64,
    pub(crate) duplicates: u64,
    pub(crate) acked: u64,
    pub(crate) released: u64,
    pub(crate) retried: u64,
    pub(crate) rejected: u64,
    pub(crate) expired: u64,
    pub(crate) dropped: u64,
    pub(crate) damaged: u64,
}

/// A message that is ready or leased, or a dead letter.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) topic: String,
    pub(crate) id: u64,
    pub(crate) deliveries: u32,
    pub(crate) enqueued_at: String,
    pub(crate) key: Option<String>,
    /// Names and values: text, or a list of bytes.
    pub(crate) headers: Vec<(String, Value)>,
    /// Why it is a dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// As text; what is no UTF-8 is replaced.
    pub(crate) payload: String,
}

/// The tables of a queue.
pub(crate) struct Tables {
    db: Connection,
    path: String,
}

impl Tables {
    /// Opens a queue to read, and begins the transaction of this look.
    ///
    /// # Errors
    ///
    /// [`UsageError`] if there is no such file, or it is no queue of this version.
    pub(crate) fn open(path: &Path) -> Result<Self, UsageError> {
        let fail = |cause: rusqlite::Error| UsageError::file("a queue", path, cause);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(fail)?;
        db.busy_timeout(Duration::from_secs(5)).map_err(fail)?;
        db.execute_batch("BEGIN").map_err(fail)?;
        let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let application = pragma("application_id").map_err(fail)?;
        let version = pragma("user_version").map_err(fail)?;
        if application != APPLICATION_ID {
            let cause = "it is an SQLite file of something else";
            return Err(UsageError::file("a queue", path, cause));
        }
        if version != VERSION {
            let cause = format!("its tables have version {version}, and this reads {VERSION}");
            return Err(UsageError::file("a queue", path, cause));
        }
        Ok(Self {
            db,
            path: path.display().to_string(),
        })
    }

    /// Returns number and name of all topics, or of one.
    ///
    /// # Errors
    ///
    /// [`UsageError`] if there is no topic, or not the one.
    pub(crate) fn topics(&self, only: Option<&str>) -> Result<Vec<(i64, String)>, BoxError> {
        let mut select = self
            .db
            .prepare("SELECT id, name FROM topics ORDER BY name")?;
        let all = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let all: Vec<(i64, String)> = all.collect::<Result<_, _>>()?;
        let Some(only) = only else {
            return Ok(all);
        };
        let names: Vec<_> = all.iter().map(|(_, name)| format!("`{name}`")).collect();
        let found = all.into_iter().find(|(_, name)| name == only);
        let missing = || {
            let known = match names.is_empty() {
                true => "it has none".to_owned(),
                false => format!("its topics are {}", names.join(", ")),
            };
            UsageError(format!("{} has no topic `{only}`; {known}", self.path))
        };
        Ok(vec![found.ok_or_else(missing)?])
    }

    /// Counts what is in each topic, or in one.
    ///
    /// # Errors
    ///
    /// As [`topics`](Self::topics), and those of reading.
    pub(crate) fn stats(&self, topic: Option<&str>) -> Result<Vec<TopicCounts>, BoxError> {
        let topics = self.topics(topic)?;
        topics
            .into_iter()
            .map(|(id, name)| self.counts(id, name))
            .collect()
    }

    fn counts(&self, id: i64, topic: String) -> Result<TopicCounts, BoxError> {
        let count = |table: &str| -> rusqlite::Result<u64> {
            let sql = format!("SELECT count(*) FROM {table} WHERE topic = ?1");
            self.db.query_row(&sql, [id], |row| row.get(0))
        };
        let oldest: Option<i64> = self.db.query_row(
            "SELECT min(enqueued_at) FROM messages WHERE id IN
             (SELECT min(id) FROM ready WHERE topic = ?1
              UNION ALL SELECT min(id) FROM parked WHERE topic = ?1
              UNION ALL SELECT min(id) FROM delayed WHERE topic = ?1
              UNION ALL SELECT min(id) FROM leased WHERE topic = ?1)",
            [id],
            |row| row.get(0),
        )?;
        let sql = "SELECT * FROM topics WHERE id = ?1";
        let counts = self.db.query_row(sql, [id], |row| {
            Ok(TopicCounts {
                topic,
                ready: count("ready")? + count("parked")?,
                delayed: count("delayed")?,
                leased: count("leased")?,
                dead: count("dead")?,
                bytes: row.get("bytes")?,
                oldest_seconds: oldest.map(|at| age(at).as_secs_f64()),
                enqueued: row.get("enqueued")?,
                duplicates: row.get("duplicates")?,
                acked: row.get("acked")?,
                released: row.get("released")?,
                retried: row.get("retried")?,
                rejected: row.get("rejected")?,
                expired: row.get("expired")?,
                dropped: row.get("dropped")?,
                damaged: row.get("damaged")?,
            })
        })?;
        Ok(counts)
    }

    /// Lists the messages of a topic that are leased.
    ///
    /// # Errors
    ///
    /// As [`stats`](Self::stats).
    pub(crate) fn leased(&self, topic: &str) -> Result<Vec<Entry>, BoxError> {
        self.entries(
            Some(topic),
            u32::MAX,
            "SELECT one.id, one.deliveries, NULL AS reason, enqueued_at, key, headers, payload
             FROM leased AS one JOIN messages ON messages.id = one.id
             WHERE one.topic = :topic ORDER BY one.id LIMIT :count",
        )
    }

    /// Lists messages that are ready, as they will be leased: by priority, then by number.
    ///
    /// # Errors
    ///
    /// As [`stats`](Self::stats).
    pub(crate) fn ready(&self, topic: Option<&str>, count: u32) -> Result<Vec<Entry>, BoxError> {
        self.entries(
            topic,
            count,
            "SELECT one.id, one.deliveries, NULL AS reason, enqueued_at, key, headers, payload
             FROM ready AS one JOIN messages ON messages.id = one.id
             WHERE one.topic = :topic ORDER BY one.rank, one.id LIMIT :count",
        )
    }

    /// Lists dead letters by number.
    ///
    /// # Errors
    ///
    /// As [`stats`](Self::stats).
    pub(crate) fn dead(&self, topic: Option<&str>, count: u32) -> Result<Vec<Entry>, BoxError> {
        self.entries(
            topic,
            count,
            "SELECT one.id, one.deliveries, reason, enqueued_at, key, headers, payload
             FROM dead AS one JOIN messages ON messages.id = one.id
             WHERE one.topic = :topic ORDER BY one.id LIMIT :count",
        )
    }

    fn entries(&self, topic: Option<&str>, count: u32, sql: &str) -> Result<Vec<Entry>, BoxError> {
        let mut select = self.db.prepare(sql)?;
        let mut entries = Vec::new();
        for (id, name) in self.topics(topic)? {
            let mut rows = select.query(named_params! { ":topic": id, ":count": count })?;
            while let Some(row) = rows.next()? {
                entries.push(entry(&name, row)?);
            }
        }
        Ok(entries)
    }
}

fn entry(topic: &str, row: &Row<'_>) -> rusqlite::Result<Entry> {
    let payload: Vec<u8> = row.get("payload")?;
    let headers: Option<String> = row.get("headers")?;
    let enqueued_at = UNIX_EPOCH + since_epoch(row.get("enqueued_at")?);
    Ok(Entry {
        topic: topic.to_owned(),
        id: row.get("id")?,
        deliveries: row.get("deliveries")?,
        enqueued_at: humantime::format_rfc3339_millis(enqueued_at).to_string(),
        key: row.get("key")?,
        // What is damaged is shown as far as it can be read.
        headers: headers
            .and_then(|headers| serde_json::from_str(&headers).ok())
            .unwrap_or_default(),
        reason: row.get("reason")?,
        payload: String::from_utf8_lossy(&payload).into_owned(),
    })
}

fn age(enqueued_at: i64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
        .saturating_sub(since_epoch(enqueued_at))
}

fn since_epoch(millis: i64) -> Duration {
    Duration::from_millis(millis.max(0).unsigned_abs())
}
