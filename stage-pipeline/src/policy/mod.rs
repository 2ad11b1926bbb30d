//! Policies: retries, rate limits, and order per key after a failure.
//!
//! All of them are plain data. They take the time as an argument and start no
//! timer: whoever holds them waits for the durations they return.

mod fence;
mod gcra;
mod keyed_rate;
mod parked;
mod rate;
mod rate_limit;
mod retry;
mod wakers;

pub use fence::{Fence, FenceVerdict, SharedFence};
pub use gcra::{Gcra, Wait};
pub use keyed_rate::{KeyedBuckets, KeyedRateLimit};
pub use parked::ParkedByKey;
pub use rate::{Rate, RateError};
pub use rate_limit::RateLimit;
pub use retry::{Retry, RetryError};
