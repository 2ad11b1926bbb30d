//! `throttle` keeps to its rate, wherever one begins to measure.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use stage_runtime::operators::{for_each, for_each_async, from_iter, throttle};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{Call, ProducerProbe, emit};
use tokio::time::{Instant, sleep};

use super::{collect, ms};
use crate::common::wiring::demanding;
use crate::common::{seeds, soon};

type Times = Arc<Mutex<Vec<Instant>>>;

/// Any `events + 1` events in a row take at least a period.
fn check(times: &[Instant], events: usize, period: Duration, seed: u64) {
    for (first, beyond) in times.iter().zip(times.iter().skip(events)) {
        let span = *beyond - *first;
        assert!(
            span >= period,
            "seed {seed}: {} events in {span:?}",
            events + 1
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_reached() {
    let begin = Instant::now();
    let numbers = from_iter(0..100_u64).stage().spawn();
    let slow = throttle(10, ms(100)).stage().subscribe_to(&numbers).spawn();
    let all = collect().stage().subscribe_to(&slow).spawn();
    assert_eq!(soon(all.output()).await.unwrap(), Vec::from_iter(0..100));
    // The tenth ten passes nine periods after the first.
    assert!(begin.elapsed() >= ms(900), "{:?}", begin.elapsed());
    assert!(begin.elapsed() <= ms(920), "{:?}", begin.elapsed());
}

/// Reference: sandbaseai/sandbase-harness issue 280 and ddevault/RedditSharp pull request
/// 195: with windows that begin by the clock, a burst that straddles two of them passes at
/// twice the rate.
#[tokio::test(start_paused = true)]
async fn a_burst_late_in_a_window_is_not_followed_by_another() {
    let (probe, _calls) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let slow = throttle(10, ms(100)).stage().subscribe_to(&source).spawn();
    let times = Times::default();
    let seen = Arc::clone(&times);
    for_each(move |_: u64| seen.lock().unwrap().push(Instant::now()))
        .stage()
        .subscribe_to(&slow)
        .spawn();
    sleep(ms(95)).await;
    soon(source.call(emit(0..30))).await.unwrap();
    sleep(ms(90)).await;
    assert_eq!(times.lock().unwrap().len(), 10);
    sleep(ms(200)).await;
    let times = times.lock().unwrap();
    assert_eq!(times.len(), 30);
    check(&times, 10, ms(100), 0);
}

/// Its consumer was slow, so events wait in its buffer: those and the next ones do not
/// leave together at twice the rate.
#[tokio::test(start_paused = true)]
async fn events_that_waited_in_the_buffer_count_when_they_are_sent() {
    let numbers = from_iter(0..40_u64).stage().spawn();
    let slow = throttle(10, ms(100)).stage().subscribe_to(&numbers).spawn();
    let times = Times::default();
    let seen = Arc::clone(&times);
    let sink = for_each_async(move |n: u64| {
        seen.lock().unwrap().push(Instant::now());
        // The first event holds the consumer for most of a period.
        sleep(if n == 0 { ms(99) } else { Duration::ZERO })
    });
    let sink = sink
        .stage()
        .subscribe_to(slow.subscription().max_demand(1))
        .spawn();
    soon(sink.join()).await.unwrap();
    let times = times.lock().unwrap();
    assert_eq!(times.len(), 40);
    check(&times, 10, ms(100), 0);
}

#[tokio::test(start_paused = true)]
async fn upstream_is_asked_for_what_the_rate_allows() {
    let (probe, mut calls) = ProducerProbe::counting();
    let numbers = probe.stage().spawn();
    let slow = throttle(10, ms(100)).stage().subscribe_to(&numbers).spawn();
    for_each(|_: u64| ()).stage().subscribe_to(&slow).spawn();
    calls.consumer_joined().await;
    for period in 1..=5 {
        sleep(ms(if period == 1 { 50 } else { 101 })).await;
        let asked = numbers.stats().events_out;
        assert_eq!(asked, period * 10);
    }
    drop(slow);
    let mut most = 0;
    for call in calls.drain().await {
        if let Call::Demand(demand) = call {
            most = most.max(demand);
        }
    }
    assert!(most <= 10, "{most}");
}

/// Nothing is asked for that could only wait.
#[tokio::test(start_paused = true)]
async fn a_rate_beyond_the_demand_limits_does_not_lift_them() {
    let (probe, _calls) = ProducerProbe::counting();
    let numbers = probe.stage().spawn();
    let _slow = throttle::<u64>(1_000_000, ms(1))
        .stage()
        .subscribe_to(numbers.subscription().max_demand(50))
        .spawn();
    sleep(ms(100)).await;
    assert_eq!(numbers.stats().events_out, 50);
}

#[tokio::test(start_paused = true)]
async fn it_completes_with_its_producer_and_not_a_period_later() {
    let begin = Instant::now();
    let numbers = from_iter(0..10_u64).stage().spawn();
    let slow = throttle(10, Duration::from_secs(60))
        .stage()
        .subscribe_to(&numbers)
        .spawn();
    let all = collect().stage().subscribe_to(&slow).spawn();
    assert_eq!(soon(all.output()).await.unwrap().len(), 10);
    assert!(begin.elapsed() < ms(10), "{:?}", begin.elapsed());
}

/// Two producers with events share the rate; one without has its share and no more.
#[tokio::test(start_paused = true)]
async fn several_producers_share_the_rate() {
    let (left, _) = ProducerProbe::counting();
    let (right, _) = ProducerProbe::counting();
    let (idle, _) = ProducerProbe::<u64>::silent();
    let (left, right, idle) = (
        left.stage().spawn(),
        right.stage().spawn(),
        idle.stage().spawn(),
    );
    let slow = throttle(12, ms(100))
        .stage()
        .subscribe_to(&left)
        .subscribe_to(&right)
        .subscribe_to(&idle)
        .spawn();
    for_each(|_: u64| ()).stage().subscribe_to(&slow).spawn();
    sleep(ms(1_050)).await;
    let of = [left.stats().delivered, right.stats().delivered];
    assert_eq!(
        of,
        [44, 44],
        "four each at once, and four after each of ten periods"
    );
    assert_eq!(idle.stats().unmet, 4);
}

/// One event in a period: the producers take turns.
#[tokio::test(start_paused = true)]
async fn no_producer_starves_another() {
    let (left, _) = ProducerProbe::counting();
    let (right, _) = ProducerProbe::counting();
    let (left, right) = (left.stage().spawn(), right.stage().spawn());
    let slow = throttle(1, ms(10))
        .stage()
        .subscribe_to(&left)
        .subscribe_to(&right)
        .spawn();
    for_each(|_: u64| ()).stage().subscribe_to(&slow).spawn();
    sleep(ms(1_000)).await;
    let (left, right) = (left.stats().delivered, right.stats().delivered);
    assert!(left + right >= 80, "{left} {right}");
    assert!(left.abs_diff(right) <= 1, "{left} {right}");
}

/// The share of a producer that ends goes to the others.
#[tokio::test(start_paused = true)]
async fn a_producer_that_ends_leaves_its_share() {
    let begin = Instant::now();
    let few = from_iter(0..1_u64).stage().spawn();
    let many = from_iter(100..141_u64).stage().spawn();
    let slow = throttle(10, ms(100))
        .stage()
        .subscribe_to(&few)
        .subscribe_to(&many)
        .spawn();
    let all = collect().stage().subscribe_to(&slow).spawn();
    assert_eq!(soon(all.output()).await.unwrap().len(), 42);
    // 42 events, ten at a time: the last pass after four periods.
    assert!(begin.elapsed() >= ms(400), "{:?}", begin.elapsed());
    assert!(begin.elapsed() <= ms(510), "{:?}", begin.elapsed());
}

#[test]
fn the_rate_holds_however_events_come_and_are_asked_for() {
    seeds(200, |seed, mut random| async move {
        let pipeline = Pipeline::new();
        let events = random.usize(1..12);
        let period = ms(random.u64(1..50));
        let (probe, _) = ProducerProbe::silent();
        let source = probe.stage().in_group(&pipeline).spawn();
        let slow = throttle(events, period)
            .stage()
            .subscribe_to(demanding(source.subscription(), &mut random, 15))
            .in_group(&pipeline)
            .spawn();
        let times = Times::default();
        let seen = Arc::clone(&times);
        // One at a time, so that it is here when it is sent.
        let mut holds = random.fork();
        let sink = for_each_async(move |_: u64| {
            seen.lock().unwrap().push(Instant::now());
            let hold = if holds.u8(0..8) == 0 {
                holds.u64(0..60)
            } else {
                0
            };
            async move {
                if hold > 0 {
                    sleep(ms(hold)).await;
                }
            }
        });
        sink.stage()
            .subscribe_to(slow.subscription().max_demand(1))
            .in_group(&pipeline)
            .spawn();
        let mut sent = 0;
        for _ in 0..random.usize(1..20) {
            sleep(ms(random.u64(0..40))).await;
            let some = random.u64(1..20);
            soon(source.call(emit(Vec::from_iter(sent..sent + some))))
                .await
                .unwrap();
            sent += some;
        }
        tokio::time::timeout(
            Duration::from_secs(3_600),
            pipeline.drain(Duration::from_secs(3_000)),
        )
        .await
        .unwrap()
        .unwrap();
        let times = times.lock().unwrap();
        assert_eq!(times.len() as u64, sent, "seed {seed}");
        check(&times, events, period, seed);
        assert_settled(&pipeline);
    });
}
