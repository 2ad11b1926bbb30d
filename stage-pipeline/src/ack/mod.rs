//! Acknowledgement: which messages of a log are settled.

mod low_water;

pub use low_water::{Gap, GapLimits, LeaseOrderError, Leased, LowWaterMark};
