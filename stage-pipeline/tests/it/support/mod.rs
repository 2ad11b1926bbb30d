//! What the tests share.

mod faults;
mod record;
mod trace;
mod wait;

pub(crate) use faults::{Call, Faults};
pub(crate) use record::{Log, Seen, batches, pass, record_data, sizes};
pub(crate) use trace::Traced;
pub(crate) use wait::{ended, restarts, within};

use std::time::Duration;

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
