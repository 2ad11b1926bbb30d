//! W2: what does one hand-over cost, when nothing is shared among events?
//!
//! The chain of W1 with `max_demand` 1: every event pays for a wake-up down
//! and one up. The peers have a channel with room for one event, which is as
//! little as a channel can hold. Futures' has a place more for its sender, so that
//! its tasks wake half as often: W2-two has two events on their way as well.

use std::time::{Duration, Instant};

use stages::RestartStrategy;
use stages::operators::{fold, from_iter, map};
use stages::prelude::*;
use tokio::runtime::Runtime;

use crate::measure::{Contender, Events, Workload};
use crate::peers::chain::{expected, items};
use crate::peers::channel::{AsyncChannel, Crossfire, Flume, Futures, Kanal, Tokio};

pub(crate) const OURS: Contender = ("stages", |r, n| ours(r, n, 1));

const PEERS: &[Contender] = &[
    ("item-futures", |r, n| items::<Futures>(r, n, 1, 1)),
    ("item-kanal", |r, n| items::<Kanal>(r, n, 1, 1)),
    ("item-mpsc", |r, n| items::<Tokio>(r, n, 1, 1)),
    ("item-flume", |r, n| items::<Flume>(r, n, 1, 1)),
    ("item-async-channel", |r, n| {
        items::<AsyncChannel>(r, n, 1, 1)
    }),
    ("item-crossfire", |r, n| items::<Crossfire>(r, n, 1, 1)),
];

pub(crate) const WORKLOAD: Workload = Workload {
    name: "W2",
    hops: 2,
    batch: 1,
    events: Events::Timed,
    ours: Some(OURS),
    peers: PEERS,
};

/// As many events on their way as a channel of futures holds.
pub(crate) const TWO: Workload = Workload {
    name: "W2-two",
    ours: Some(("stages", |r, n| ours(r, n, 2))),
    peers: PEERS.split_at(1).0,
    ..WORKLOAD
};

/// W2 with all three stages on one task.
pub(crate) const CO_LOCATED: Workload = Workload {
    name: "W2-co",
    ours: Some(("stages-co", ours_co_located)),
    ..WORKLOAD
};

/// W2 beside itself with a timer set in the stage in the middle.
pub(crate) const TIMER: Workload = Workload {
    name: "W2-timer",
    ours: Some(("stages-timer", ours_with_timer)),
    peers: &[OURS],
    ..WORKLOAD
};

/// Adds one to each number, with a timer that is always set and never due.
struct AddsOne;

impl ProducerConsumer for AddsOne {
    type In = u64;
    type Out = u64;

    async fn handle_start(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        out.wake_after(Duration::from_secs(3_600));
        Ok(())
    }

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        out: &mut Emitter<'_, u64>,
    ) -> StageResult {
        out.extend(events.drain().map(|n| n + 1));
        Ok(())
    }
}

fn ours_with_timer(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let numbers = from_iter(0..events).stage().spawn();
        let one = |terms: Subscription<u64>| terms.max_demand(1);
        let added = AddsOne.stage().subscribe_to(one(numbers.subscription()));
        let added = added.spawn();
        let sum = fold(0, |sum: u64, n: u64| sum + n)
            .stage()
            .subscribe_to(one(added.subscription()))
            .spawn();
        let sum = sum.output().await.expect("the pipeline completes");
        assert_eq!(sum, expected(events, 1));
        started.elapsed()
    })
}

fn ours(runtime: &Runtime, events: u64, demand: usize) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let numbers = from_iter(0..events).stage().spawn();
        let added = map(|n: u64| n + 1)
            .stage()
            .subscribe_to(numbers.subscription().max_demand(demand))
            .spawn();
        let sum = fold(0, |sum: u64, n: u64| sum + n)
            .stage()
            .subscribe_to(added.subscription().max_demand(demand))
            .spawn();
        let sum = sum.output().await.expect("the pipeline completes");
        assert_eq!(sum, expected(events, 1));
        started.elapsed()
    })
}

fn ours_co_located(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let pipeline = Pipeline::new();
        let chain = pipeline.group(RestartStrategy::OneForOne).co_located();
        let numbers = from_iter(0..events).stage().in_group(&chain).spawn();
        let added = map(|n: u64| n + 1)
            .stage()
            .subscribe_to(numbers.subscription().max_demand(1))
            .in_group(&chain)
            .spawn();
        let sum = fold(0, |sum: u64, n: u64| sum + n)
            .stage()
            .subscribe_to(added.subscription().max_demand(1))
            .in_group(&chain)
            .spawn();
        let sum = sum.output().await.expect("the pipeline completes");
        assert_eq!(sum, expected(events, 1));
        started.elapsed()
    })
}
