//! [`LogOptions`]: how long a log keeps its entries. [`StartAt`]: where a group begins.

use std::time::{Duration, SystemTime};

use crate::MessageId;
use crate::clock::delay_ms;

/// How long a log keeps its entries. The options are those of this process.
///
/// | | default |
/// |---|---|
/// | [`retain_for`](Self::retain_for) | for ever |
/// | [`retain_bytes`](Self::retain_bytes) | no bound |
/// | [`drop_unread`](Self::drop_unread) | false: what a group has not committed stays |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogOptions {
    retain_for: Option<Duration>,
    retain_bytes: Option<u64>,
    drop_unread: bool,
}

/// [`LogOptions`], at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention {
    /// Entries of before may go.
    pub(crate) before: Option<i64>,
    pub(crate) bytes: Option<u64>,
    pub(crate) drop_unread: bool,
}

impl LogOptions {
    /// Returns the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            retain_for: None,
            retain_bytes: None,
            drop_unread: false,
        }
    }

    /// Deletes entries that are older.
    #[must_use]
    pub const fn retain_for(mut self, age: Duration) -> Self {
        self.retain_for = Some(age);
        self
    }

    /// Deletes the oldest entries while the payloads, keys and headers of all take more bytes.
    #[must_use]
    pub const fn retain_bytes(mut self, bytes: u64) -> Self {
        self.retain_bytes = Some(bytes);
        self
    }

    /// Deletes such entries also if a group has not committed them. They are counted as
    /// [`dropped`](crate::LogStats::dropped).
    #[must_use]
    pub const fn drop_unread(mut self) -> Self {
        self.drop_unread = true;
        self
    }

    pub(crate) fn retention(&self, now: i64) -> Option<Retention> {
        (self.retain_for.is_some() || self.retain_bytes.is_some()).then(|| Retention {
            before: self.retain_for.map(|age| now.saturating_sub(delay_ms(age))),
            bytes: self.retain_bytes,
            drop_unread: self.drop_unread,
        })
    }
}

/// Where a group of consumers begins to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    /// With the oldest entry there is.
    Oldest,
    /// With the next entry that is appended.
    Newest,
    /// With the first entry that has this number or a larger one.
    Id(MessageId),
    /// With the first entry that was appended at this time or later.
    Time(SystemTime),
}
