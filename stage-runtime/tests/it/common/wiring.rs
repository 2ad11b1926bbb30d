//! Random demand, and futures that are dropped.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use fastrand::Rng;
use stage_runtime::prelude::*;
use stage_runtime::snapshot::Snapshot;

/// The subscription with random demand, `most` at the most.
pub(crate) fn demanding<E: Send + 'static>(
    subscription: Subscription<E>,
    random: &mut Rng,
    most: usize,
) -> Subscription<E> {
    let max = random.usize(1..=most);
    subscription
        .max_demand(max)
        .min_demand(random.usize(0..max))
}

/// As often as it takes, with or without a wait.
pub(crate) fn restarts(random: &mut Rng) -> Restart {
    let ms = Duration::from_millis;
    let first = ms(random.u64(0..3));
    Restart::on_failure()
        .max_restarts(usize::MAX)
        .backoff(first, first * random.u32(1..4))
}

/// Polls a future as often, unless it is ready before, and drops it.
pub(crate) async fn dropped_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// Lets other tasks go on for a while.
pub(crate) async fn a_while(random: &mut Rng, most: usize) {
    for _ in 0..random.usize(0..=most) {
        tokio::task::yield_now().await;
    }
}

/// Events that are gone by the count of the stages, in whatever way but with a
/// handler that had noted them.
pub(crate) fn gone(snapshot: &Snapshot) -> u64 {
    let of_stage =
        |stats: &stage_runtime::StageStats| stats.discarded + stats.dead_lettered + stats.rejected;
    snapshot
        .stages
        .iter()
        .map(|stage| of_stage(&stage.stats))
        .sum()
}
