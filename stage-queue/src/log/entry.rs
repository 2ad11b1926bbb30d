//! [`LogEntry`]: an entry, as a reader gets it.

use std::sync::Arc;
use std::time::SystemTime;

use crate::MessageId;

/// An entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// The number of the entry. Numbers increase, and leave some out.
    pub id: MessageId,
    /// Whether a reader of the group had got the entry before, and its mark has not passed it.
    pub redelivered: bool,
    /// Whether its checksum does not match: payload, key or headers are not what was appended.
    /// Such an entry is given out all the same, so that nothing is skipped silently.
    pub damaged: bool,
    /// The payload.
    pub payload: Vec<u8>,
    /// The key.
    pub key: Option<Arc<str>>,
    /// The headers, in the order in which they were added.
    pub headers: Vec<(String, Vec<u8>)>,
    /// When the entry was appended.
    pub appended_at: SystemTime,
}
