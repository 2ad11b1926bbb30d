//! Traces recorded from GenStage: the answers of its modules to random scripts.
//!
//! A trace is one line of a `.jsonl` file. The files are read from the
//! directory in the environment variable `GENSTAGE_TRACES`, or from this
//! crate's own copy if that is unset.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use thiserror::Error;

/// The events that each consumer was sent, in order, by consumer number.
pub type Delivered = BTreeMap<u64, Vec<u64>>;

/// A trace of `GenStage.DemandDispatcher`.
pub type DemandTrace = DispatcherTrace<NoOptions, NoOptions>;
/// A trace of `GenStage.BroadcastDispatcher`.
pub type BroadcastTrace = DispatcherTrace<NoOptions, BroadcastRoute>;
/// A trace of `GenStage.PartitionDispatcher`.
pub type PartitionTrace = DispatcherTrace<PartitionOptions, PartitionRoute>;

/// A script for a dispatcher, with the recorded answers.
#[derive(Debug, Clone, Deserialize)]
pub struct DispatcherTrace<O, R> {
    /// The options of the dispatcher.
    pub options: O,
    /// The calls, in order.
    pub steps: Vec<DispatcherStep<R>>,
}

/// One call of a dispatcher and its answer; `demand` is what it returned for
/// upstream.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
#[expect(missing_docs, reason = "the fields are named as in the trace format")]
pub enum DispatcherStep<R> {
    /// A consumer subscribed.
    Subscribe {
        consumer: u64,
        options: R,
        demand: usize,
    },
    /// A consumer cancelled.
    Cancel { consumer: u64, demand: usize },
    /// A consumer asked.
    Ask {
        consumer: u64,
        count: usize,
        demand: usize,
        #[serde(deserialize_with = "by_consumer")]
        delivered: Delivered,
    },
    /// A broadcast asked again for the events that a consumer's selector had
    /// refused in the preceding dispatch.
    Replenish { demand: usize },
    /// Events were dispatched.
    Dispatch {
        events: Vec<u64>,
        leftover: Vec<u64>,
        #[serde(deserialize_with = "by_consumer")]
        delivered: Delivered,
    },
}

/// No options at all.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct NoOptions {}

/// The options of a subscription to a broadcast.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct BroadcastRoute {
    /// The events it wants; all if `None`.
    pub selector: Option<Remainder>,
}

/// The events with `event % modulo == remainder`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[expect(missing_docs, reason = "the fields are named as in the trace format")]
pub struct Remainder {
    pub modulo: u64,
    pub remainder: u64,
}

/// The options of a partition dispatcher.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct PartitionOptions {
    /// The number of partitions.
    pub partitions: usize,
    /// The partition of an event.
    pub hash: TraceHash,
}

/// The hash of the partition traces: `event % modulo`.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct TraceHash {
    /// The number of partitions it hashes to.
    pub modulo: u64,
    /// Multiples of this number are dropped.
    pub none_when_multiple_of: Option<u64>,
}

impl TraceHash {
    /// Returns the partition of `event`; `None` drops it.
    #[must_use]
    pub fn partition(&self, event: u64) -> Option<usize> {
        let dropped = self
            .none_when_multiple_of
            .is_some_and(|number| event.is_multiple_of(number));
        (!dropped).then_some((event % self.modulo) as usize)
    }
}

/// The options of a subscription to a partition dispatcher.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct PartitionRoute {
    /// The partition.
    pub partition: usize,
}

/// A trace of `GenStage.Buffer`.
#[derive(Debug, Clone, Deserialize)]
pub struct BufferTrace {
    /// The bound of the buffer.
    pub buffer_size: BufferSize,
    /// The events it keeps when it is full.
    pub keep: TraceKeep,
    /// The calls, in order.
    pub steps: Vec<BufferStep>,
}

/// The bound of a buffer.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub enum BufferSize {
    /// This many events.
    Bounded(usize),
    /// Any number.
    Unbounded(Infinity),
}

/// The trace format's word for no bound.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Infinity {
    /// `"infinity"`
    Infinity,
}

/// The events that a full buffer keeps.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TraceKeep {
    /// The oldest events.
    First,
    /// The newest events.
    Last,
}

/// One call of a buffer and its answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
#[expect(missing_docs, reason = "the fields are named as in the trace format")]
pub enum BufferStep {
    /// Events came in.
    Store {
        events: Vec<u64>,
        discarded: usize,
        infos: Vec<u64>,
        size: usize,
    },
    /// An info was offered.
    Info { info: u64, stored: bool },
    /// Events were asked for. The last three fields are empty if the buffer
    /// was.
    Take {
        count: usize,
        empty: bool,
        #[serde(default)]
        events: Vec<u64>,
        #[serde(default)]
        infos: Vec<u64>,
        #[serde(default)]
        remaining: usize,
    },
}

/// A trace of a consumer with `pending` demand that receives `events` events.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "the fields are named as in the trace format")]
pub struct SplitTrace {
    pub max_demand: usize,
    pub min_demand: usize,
    pub pending: usize,
    pub events: usize,
    pub pending_after: usize,
    pub batches: Vec<SplitBatch>,
}

/// A batch passed to a handler, and the demand sent after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the fields are named as in the trace format")]
pub struct SplitBatch {
    pub len: usize,
    pub ask: usize,
}

/// A trace and its position in the file.
#[derive(Debug, Clone)]
pub struct Recorded<T> {
    /// The trace.
    pub trace: T,
    file: String,
    line: usize,
}

impl<T> Recorded<T> {
    /// Returns file, line and step of the step at index `step`, for a failure
    /// message.
    pub fn at(&self, step: usize) -> impl fmt::Display + use<T> {
        format!("{} line {} step {}", self.file, self.line, step + 1)
    }
}

/// The error of reading traces.
#[derive(Debug, Error)]
pub enum TraceError {
    /// The file could not be read.
    #[error("cannot read {}: {source}; does GENSTAGE_TRACES name the right directory?", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: io::Error,
    },
    /// A line does not have the format of its file.
    #[error("{} line {line}: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
        /// The parse error.
        source: serde_json::Error,
    },
}

/// Reads the traces in `file`, a file name such as `demand.jsonl`.
///
/// # Errors
///
/// [`TraceError`], which names file and line.
pub fn load<T: DeserializeOwned>(file: &str) -> Result<Vec<Recorded<T>>, TraceError> {
    let path = directory().join(file);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(TraceError::Unreadable { path, source }),
    };
    text.lines()
        .zip(1..)
        .map(|(json, line)| match serde_json::from_str(json) {
            Ok(trace) => Ok(Recorded {
                trace,
                file: file.to_owned(),
                line,
            }),
            Err(source) => Err(TraceError::Malformed {
                path: path.clone(),
                line,
                source,
            }),
        })
        .collect()
}

fn directory() -> PathBuf {
    std::env::var_os("GENSTAGE_TRACES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/data/genstage")),
        PathBuf::from,
    )
}

/// JSON object keys are strings, and serde does not convert them to numbers
/// inside a tagged enum.
fn by_consumer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Delivered, D::Error> {
    BTreeMap::<String, Vec<u64>>::deserialize(deserializer)?
        .into_iter()
        .map(|(consumer, events)| {
            let consumer = consumer.parse().map_err(serde::de::Error::custom)?;
            Ok((consumer, events))
        })
        .collect()
}
