//! `then` and `for_each_async`: one event at a time, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use stage_runtime::operators::{for_each_async, from_iter, then};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::ConsumerProbe;
use tokio::time::{Instant, sleep};

use super::{collect_from, ms};
use crate::common::soon;

/// How many are in there at a time, and were at most.
#[derive(Debug, Clone, Default)]
pub(super) struct Gauge(Arc<(AtomicUsize, AtomicUsize)>);

impl Gauge {
    pub(super) async fn during(self, millis: u64) {
        let (now, most) = &*self.0;
        most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
        sleep(ms(millis)).await;
        now.fetch_sub(1, SeqCst);
    }

    pub(super) fn most(&self) -> usize {
        self.0.1.load(SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn then_awaits_one_at_a_time_and_keeps_the_order() {
    let gauge = Gauge::default();
    let at_a_time = gauge.clone();
    let pipeline = Pipeline::new();
    let numbers = from_iter(0..50_u64).stage().in_group(&pipeline).spawn();
    let slow = then(move |n: u64| {
        let gauge = gauge.clone();
        async move {
            gauge.during(n % 3).await;
            n * 2
        }
    });
    let slow = slow
        .stage()
        .subscribe_to(&numbers)
        .in_group(&pipeline)
        .spawn();
    let all = collect_from(&slow, &pipeline);
    let expected: Vec<u64> = (0..50).map(|n| n * 2).collect();
    assert_eq!(soon(all.output()).await.unwrap(), expected);
    assert_eq!(at_a_time.most(), 1);
    soon(pipeline.join()).await.unwrap();
    assert_settled(&pipeline);
}

/// The documented latency: the results of a batch leave together, and a batch of one
/// leaves at once.
#[tokio::test(start_paused = true)]
async fn results_leave_with_their_batch() {
    for (max_demand, first) in [(1, 10), (10, 50), (1_000, 100)] {
        let numbers = from_iter(0..10_u64).stage().spawn();
        let slow = then(async |n: u64| {
            sleep(ms(10)).await;
            n
        });
        let slow = slow
            .stage()
            .subscribe_to(numbers.subscription().max_demand(max_demand))
            .spawn();
        let (probe, mut calls) = ConsumerProbe::new();
        let begin = Instant::now();
        probe.stage().subscribe_to(&slow).spawn();
        calls.events().await;
        assert_eq!(begin.elapsed(), ms(first), "max_demand {max_demand}");
    }
}

#[tokio::test(start_paused = true)]
async fn for_each_async_holds_its_producer_up() {
    let gauge = Gauge::default();
    let at_a_time = gauge.clone();
    let numbers = from_iter(0..1_000_u64).stage().spawn();
    let sink = for_each_async(move |_: u64| gauge.clone().during(10));
    let sink = sink
        .stage()
        .subscribe_to(numbers.subscription().max_demand(4))
        .spawn();
    sleep(ms(105)).await;
    // Ten are done, one is being awaited, and no more than it asks for is on its way.
    assert!(numbers.stats().delivered <= 14, "{:?}", numbers.stats());
    soon(sink.join()).await.unwrap();
    assert_eq!(at_a_time.most(), 1);
    assert_eq!(numbers.stats().delivered, 1_000);
}
