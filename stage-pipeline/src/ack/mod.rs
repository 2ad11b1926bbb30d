//! Acknowledgements: verdicts on messages, each given exactly once.

#[allow(clippy::module_inception, reason = "the file is named after its type")]
mod ack;
mod acknowledger;
mod low_water;
mod merged;
mod parts;
mod settlements;
mod verdict;

pub use ack::Ack;
pub use acknowledger::{AckError, Acknowledger};
pub use low_water::{Gap, GapLimits, LeaseOrderError, Leased, LowWaterMark};
pub use verdict::{Settled, Token, Verdict};

pub(crate) use merged::merge;
pub(crate) use parts::split;
pub(crate) use settlements::Settlements;
