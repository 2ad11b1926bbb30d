//! [`Ledger`]: what became of the messages of a source.

use std::fmt;

/// What became of all messages that a source has leased:
/// `leased = acked + retried + released + rejected + expired + in_flight`.
///
/// A message that is delivered again is leased again, and counts again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ledger {
    /// Messages that were leased.
    pub leased: u64,
    /// Messages that were acknowledged.
    pub acked: u64,
    /// Messages that failed, to be delivered again.
    pub retried: u64,
    /// Messages given back untried.
    pub released: u64,
    /// Messages that became dead letters.
    pub rejected: u64,
    /// Messages whose verdict did not count: their lease had ended, or the origin could
    /// not be told.
    pub expired: u64,
    /// Messages that are not settled.
    pub in_flight: u64,
}

impl Ledger {
    /// Returns the number of messages that are settled.
    #[must_use]
    pub const fn settled(&self) -> u64 {
        self.acked + self.retried + self.released + self.rejected + self.expired
    }

    /// Returns the sums of two ledgers.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            leased: self.leased + other.leased,
            acked: self.acked + other.acked,
            retried: self.retried + other.retried,
            released: self.released + other.released,
            rejected: self.rejected + other.rejected,
            expired: self.expired + other.expired,
            in_flight: self.in_flight + other.in_flight,
        }
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            leased,
            acked,
            retried,
            released,
            rejected,
            expired,
            in_flight,
        } = self;
        write!(
            f,
            "{leased} leased: {acked} acked, {retried} retried, {released} released, \
             {rejected} rejected, {expired} expired, {in_flight} in flight"
        )
    }
}
