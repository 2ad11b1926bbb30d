//! The operators: what each does with events, errors and time.

mod awaiting;
mod fails;
mod forward;
mod fused;
mod map_concurrent;
mod map_in_place;
mod options;
mod passing;
mod push;
mod random;
mod registered;
mod take;
mod throttle;

use std::time::Duration;

use stage_runtime::operators::{Fold, fold};
use stage_runtime::prelude::*;

/// A consumer that keeps all events; `output` returns them.
pub(crate) fn collect<E: Send + 'static>() -> Fold<Vec<E>, impl FnMut(Vec<E>, E) -> Vec<E> + Send, E>
{
    fold(Vec::new(), |mut all: Vec<E>, event| {
        all.push(event);
        all
    })
}

/// As often as it takes and without a wait.
pub(crate) fn at_once() -> Restart {
    Restart::on_failure()
        .max_restarts(usize::MAX)
        .backoff(Duration::ZERO, Duration::ZERO)
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
