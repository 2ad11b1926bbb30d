//! What the tests share.

mod counting;
mod faults;
mod record;
mod trace;
mod wait;
mod work;

pub(crate) use counting::Counting;
pub(crate) use faults::{Call, Faults};
pub(crate) use record::{DataRecorder, Log, Seen, batches, pass, record_data, sizes};
pub(crate) use trace::Traced;
pub(crate) use wait::{ended, restarts, within};
pub(crate) use work::{taking, then};

use std::time::Duration;

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
