//! What a consumer has not handled when it ends goes back to its producer, in
//! order and ahead of everything newer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::common::{failure, pending, soon};
use stage_runtime::operators::{fold, for_each, from_iter};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};

/// Fails when it has taken the event `N`.
struct FailsAt<const N: u64> {
    panics: bool,
}

impl<const N: u64> Consumer for FailsAt<N> {
    type Event = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        for n in events {
            if n == N {
                assert!(!self.panics, "went wrong at {n}");
                return Err(format!("went wrong at {n}").into());
            }
        }
        Ok(())
    }
}

fn collected()
-> stage_runtime::operators::Fold<Vec<u64>, impl FnMut(Vec<u64>, u64) -> Vec<u64> + Send, u64> {
    fold(Vec::new(), |mut all: Vec<u64>, n| {
        all.push(n);
        all
    })
}

/// GenStage's issue 202.
#[tokio::test(start_paused = true)]
async fn a_failing_consumer_loses_nothing_but_the_event_it_had_taken() {
    for panics in [false, true] {
        let (probe, mut above) = ProducerProbe::<u64>::silent();
        let source = probe.stage().spawn();
        let bad = FailsAt::<3> { panics }
            .stage()
            .subscribe_to(source.subscription().max_demand(10).min_demand(6))
            .spawn();
        above.demand().await;
        source.call(emit(0..10)).await.unwrap();
        failure(soon(bad.join()).await);
        above.consumer_left().await;
        assert_eq!(
            (source.stats().handed_back, source.stats().buffered),
            (6, 6)
        );

        source.call(emit([10, 11])).await.unwrap();
        let (probe, mut next) = ConsumerProbe::new();
        probe.stage().subscribe_to(&source).spawn();
        assert_eq!(next.gather(8).await, [4, 5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(source.stats().discarded, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_other_consumers_get_what_a_failed_one_leaves() {
    let source = from_iter(0..1_000u64).stage().gate(Gate::Closed).spawn();
    let bad = FailsAt::<20> { panics: true }
        .stage()
        .subscribe_to(source.subscription().max_demand(50))
        .spawn();
    let good = collected()
        .stage()
        .subscribe_to(source.subscription().max_demand(7))
        .spawn();
    source.set_gate(Gate::Open);
    failure(soon(bad.join()).await);
    let mut got = soon(good.output()).await.unwrap();
    got.sort_unstable();
    got.dedup();
    assert!(!got.contains(&20), "20 had been taken");
    assert!(got.ends_with(&[998, 999]));
    let handled_by_bad = 1_000 - got.len();
    assert!((1..=50).contains(&handled_by_bad), "{handled_by_bad}");
}

#[tokio::test(start_paused = true)]
async fn a_partition_keeps_what_is_handed_back_for_its_next_owner() {
    let parts = Partition::by_index(2, |n: &u64| Some((*n % 2) as usize)).unwrap();
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().dispatcher(parts).spawn();
    let (even, mut evens) = ConsumerProbe::new();
    even.stage().subscribe_to(source.partition(0)).spawn();
    let bad = FailsAt::<3> { panics: false }
        .stage()
        .subscribe_to(source.partition(1).max_demand(3).min_demand(0))
        .spawn();
    above.demand().await;
    source.call(emit(0..10)).await.unwrap();
    failure(soon(bad.join()).await);
    above.consumer_left().await;
    assert_eq!(evens.gather(5).await, [0, 2, 4, 6, 8]);

    let (odd, mut odds) = ConsumerProbe::new();
    odd.stage().subscribe_to(source.partition(1)).spawn();
    assert_eq!(odds.gather(3).await, [5, 7, 9], "1 was handled, 3 taken");
    source.call(emit([11])).await.unwrap();
    assert_eq!(odds.events().await, [11]);
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_discards_and_counts_what_one_of_its_subscribers_leaves() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().dispatcher(Broadcast::new()).spawn();
    let bad = FailsAt::<3> { panics: false }
        .stage()
        .subscribe_to(source.subscription().max_demand(10).min_demand(0))
        .spawn();
    let (probe, mut good) = ConsumerProbe::new();
    probe.stage().subscribe_to(&source).spawn();
    above.demand().await;
    source.call(emit(0..10)).await.unwrap();
    failure(soon(bad.join()).await);
    above.consumer_left().await;
    assert_eq!(good.gather(10).await, (0..10).collect::<Vec<_>>());
    source.call(emit([10])).await.unwrap();
    assert_eq!(good.events().await, [10], "and nothing again");
    assert_eq!(source.stats().discarded, 6);
}

/// A task that is dropped in the midst of a handler gives back what that had
/// not taken.
#[tokio::test]
async fn a_consumer_whose_runtime_is_dropped_gives_back_what_it_had_not_taken() {
    struct TakesTwo;

    impl Consumer for TakesTwo {
        type Event = u64;

        async fn handle_events(
            &mut self,
            events: &mut Batch<u64>,
            _cx: &mut Context<'_>,
        ) -> StageResult {
            events.pop_front();
            events.pop_front();
            std::future::pending().await
        }
    }

    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let away = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let terms = source.subscription().max_demand(10).min_demand(5);
    let consumer = away
        .spawn(async move { TakesTwo.stage().subscribe_to(terms).spawn() })
        .await
        .unwrap();
    above.demand().await;
    source.call(emit(0..8)).await.unwrap();
    while consumer.stats().events_in == 0 {
        tokio::task::yield_now().await;
    }
    away.shutdown_background();
    above.consumer_left().await;

    let (probe, mut next) = ConsumerProbe::new();
    probe.stage().subscribe_to(&source).spawn();
    assert_eq!(next.gather(6).await, [2, 3, 4, 5, 6, 7]);
}

/// A source that has said it is complete is there until everything was handled.
#[tokio::test(start_paused = true)]
async fn a_source_that_has_no_more_still_takes_events_back() {
    let source = from_iter(0..10u64).stage().spawn();
    let bad = FailsAt::<3> { panics: true }
        .stage()
        .subscribe_to(&source)
        .spawn();
    failure(soon(bad.join()).await);
    pending(source.outcome()).await;
    let next = collected().stage().subscribe_to(&source).spawn();
    assert_eq!(soon(next.output()).await.unwrap(), [4, 5, 6, 7, 8, 9]);
    soon(source.join()).await.unwrap();
}

/// However often consumers fail, every event is handled once, or is counted as
/// lost with the one that failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_that_fail_again_and_again_account_for_every_event() {
    const EVENTS: u64 = 2_000;
    for round in 0..40u64 {
        let mut random = fastrand::Rng::with_seed(round);
        let pipeline = Pipeline::new();
        let source = from_iter(0..EVENTS).stage().in_group(&pipeline).spawn();
        let taken = Arc::new(AtomicU64::new(0));
        let mut lost = 0;
        let mut failures = 0;
        while !source.is_ended() {
            let mut left = random.u64(1..400);
            let counted = Arc::clone(&taken);
            let consumer = for_each(move |_: u64| {
                left -= 1;
                assert!(left > 0, "went wrong");
                counted.fetch_add(1, Ordering::Relaxed);
            });
            let consumer = consumer
                .stage()
                .subscribe_to(source.subscription().max_demand(64))
                .spawn();
            let stats = consumer.stage_ref();
            if soon(consumer.join()).await.is_err() {
                failures += 1;
            }
            lost += stats.stats().lost;
        }
        assert_settled(&pipeline);
        assert!(failures > 0, "seed {round}");
        assert_eq!(lost, failures, "one each; seed {round}");
        assert_eq!(taken.load(Ordering::Relaxed) + lost, EVENTS, "seed {round}");
    }
}
