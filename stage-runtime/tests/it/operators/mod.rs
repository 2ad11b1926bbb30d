//! The operators: what each does with events, errors and time.

mod awaiting;
mod fails;
mod forward;
mod fused;
mod map_concurrent;
mod map_in_place;
mod options;
mod passing;
mod random;
mod registered;
mod take;
mod throttle;

use std::time::Duration;

use stage_runtime::operators::{Fold, fold};
use stage_runtime::prelude::*;
use stage_runtime::{ConsumerHandle, IntoSubscription};

/// A consumer that keeps all events; `output` returns them.
pub(crate) type Collect<E> = Fold<Vec<E>, fn(Vec<E>, E) -> Vec<E>, E>;

pub(crate) fn collect<E: Send + 'static>() -> Collect<E> {
    fold(Vec::new(), |mut all, event| {
        all.push(event);
        all
    })
}

/// A consumer of `producer` in `pipeline` that keeps all events.
pub(crate) fn collect_from<E: Send + 'static>(
    producer: impl IntoSubscription<E>,
    pipeline: &Pipeline,
) -> ConsumerHandle<Collect<E>> {
    collect()
        .stage()
        .subscribe_to(producer)
        .in_group(pipeline)
        .spawn()
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
