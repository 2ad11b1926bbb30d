//! [`Settings`]: the options of a pipeline as a whole.

use std::time::Duration;

use stages::Restart;

use crate::dead_letter::SharedSink;
use crate::guarantee::Guarantee;
use crate::policy::{KeyedRateLimit, RateLimit, Retry};

/// The options of a pipeline as a whole.
pub(crate) struct Settings {
    pub(crate) retry: Retry,
    pub(crate) dead_letters: Option<SharedSink>,
    pub(crate) rate: Option<RateLimit>,
    pub(crate) key_rate: Option<KeyedRateLimit>,
    pub(crate) required: Guarantee,
    pub(crate) max_in_flight: u64,
    pub(crate) ordered: bool,
    pub(crate) spans: bool,
    pub(crate) restart: Restart,
    pub(crate) source_restart: Restart,
}

impl Default for Settings {
    fn default() -> Self {
        let longest = Duration::from_secs(30);
        Self {
            retry: Retry::default(),
            dead_letters: None,
            rate: None,
            key_rate: None,
            required: Guarantee::AtMostOnce,
            max_in_flight: u64::MAX,
            ordered: false,
            spans: false,
            restart: Restart::on_failure(),
            // A broker that is away comes back.
            source_restart: Restart::on_failure()
                .max_restarts(usize::MAX)
                .backoff(Duration::from_millis(100), longest)
                // Longer than the delays: a pause without a failure ends the backoff.
                .within(4 * longest),
        }
    }
}
