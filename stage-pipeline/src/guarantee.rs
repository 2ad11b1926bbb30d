//! [`Guarantee`]: how often a message is processed.

use std::fmt;

/// How often a message is processed, from weakest to strongest.
///
/// ```
/// use stage_pipeline::Guarantee;
///
/// assert!(Guarantee::AtMostOnce < Guarantee::AtLeastOnce);
/// assert!(Guarantee::AtLeastOnce < Guarantee::Durable);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Guarantee {
    /// Once or not at all: nobody delivers it again.
    AtMostOnce,
    /// Once or more, as long as the process lives: the origin delivers it again until it
    /// is settled, and forgets it when the process ends.
    AtLeastOnce,
    /// Once or more, also when the process is killed: the origin has it on disk, or on
    /// another machine.
    Durable,
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtMostOnce => "at most once",
            Self::AtLeastOnce => "at least once",
            Self::Durable => "durable",
        })
    }
}
