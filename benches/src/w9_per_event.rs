//! W9: what does a task for every event cost?
//!
//! Every event awaits a millisecond, a thousand at a time: with nothing else
//! to pay, that is a microsecond an event, and a timer that rounds up to the
//! next millisecond makes it up to two. A hundred thousand events, not a
//! million, so that all workloads together stay within minutes; the figure is
//! by event and does not depend on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use stages::operators::from_iter;
use stages::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::measure::{Events, Workload};
use crate::peers::chain::expected;

const AT_A_TIME: usize = 1000;
const AWAITED: Duration = Duration::from_millis(1);

pub(crate) const WORKLOAD: Workload = Workload {
    name: "W9",
    hops: 1,
    batch: 1,
    events: Events::Fixed(100_000),
    ours: Some(("stages", ours)),
    peers: &[
        ("buffer_unordered", buffer_unordered),
        ("joinset-semaphore", join_set),
    ],
};

/// What is done with an event.
async fn work(n: u64, sum: &AtomicU64) {
    sleep(AWAITED).await;
    sum.fetch_add(n, Ordering::Relaxed);
}

/// A place that is free is asked for at once: with the default `min_demand`
/// half of them would stay empty until as many had ended.
fn ours(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let sum = Arc::new(AtomicU64::new(0));
        let shared = Arc::clone(&sum);
        let numbers = from_iter(0..events).stage().spawn();
        let workers = per_event(move |n: u64| {
            let shared = Arc::clone(&shared);
            async move {
                work(n, &shared).await;
                Ok(())
            }
        });
        let workers = workers
            .stage()
            .subscribe_to(numbers.subscription().max_demand(AT_A_TIME).min_demand(0))
            .spawn();
        workers.join().await.expect("the pipeline completes");
        assert_eq!(sum.load(Ordering::Relaxed), expected(events, 0));
        started.elapsed()
    })
}

/// All in one task, which polls those that were woken.
fn buffer_unordered(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let sum = Arc::new(AtomicU64::new(0));
        let shared = Arc::clone(&sum);
        let all = tokio::spawn(async move {
            futures::stream::iter(0..events)
                .map(|n| work(n, &shared))
                .buffer_unordered(AT_A_TIME)
                .for_each(|()| async {})
                .await;
        });
        all.await.expect("the task does not panic");
        assert_eq!(sum.load(Ordering::Relaxed), expected(events, 0));
        started.elapsed()
    })
}

/// A task each.
fn join_set(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let sum = Arc::new(AtomicU64::new(0));
        let shared = Arc::clone(&sum);
        let all = tokio::spawn(async move {
            let room = Arc::new(Semaphore::new(AT_A_TIME));
            let mut tasks = JoinSet::new();
            for n in 0..events {
                let permit = Arc::clone(&room).acquire_owned().await;
                let permit = permit.expect("it is never closed");
                let sum = Arc::clone(&shared);
                tasks.spawn(async move {
                    work(n, &sum).await;
                    drop(permit);
                });
                // So that the set holds those that run and not all there were.
                while tasks.try_join_next().is_some() {}
            }
            tasks.join_all().await;
        });
        all.await.expect("the task does not panic");
        assert_eq!(sum.load(Ordering::Relaxed), expected(events, 0));
        started.elapsed()
    })
}
