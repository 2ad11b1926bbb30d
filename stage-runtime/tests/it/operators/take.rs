//! `take` asks for so many events and for no more.

use std::sync::{Arc, Mutex};

use fastrand::Rng;
use stage_runtime::operators::{FromIter, from_iter, take, try_for_each};
use stage_runtime::prelude::*;
use stage_runtime::{ProducerHandle, RestartStrategy};
use stage_test::assert_settled;
use stage_test::probe::{Call, ConsumerProbe, ProducerProbe, emit};

use super::{at_once, collect, collect_from};
use crate::common::wiring::demanding;
use crate::common::{pending, seeds, soon};

#[tokio::test(start_paused = true)]
async fn the_events_beyond_are_left_to_others() {
    for max_demand in [1, 2, 3, 1_000] {
        let pipeline = Pipeline::new();
        let numbers = from_iter(0..10_u64).stage().in_group(&pipeline).spawn();
        let first = take(4)
            .stage()
            .subscribe_to(numbers.subscription().max_demand(max_demand))
            .in_group(&pipeline)
            .spawn();
        let four = collect_from(&first, &pipeline);
        assert_eq!(soon(four.output()).await.unwrap(), [0, 1, 2, 3]);
        soon(first.join()).await.unwrap();
        let rest = collect_from(&numbers, &pipeline);
        assert_eq!(soon(rest.output()).await.unwrap(), [4, 5, 6, 7, 8, 9]);
        assert_settled(&pipeline);
    }
}

/// Reference: pull-stream/pull-stream issue 25, "pull.take(n) calls upstream.read(null,
/// cb) n+1 times", and unisonweb/base issue 60: the one event more is a side effect that
/// nobody asked for.
#[tokio::test(start_paused = true)]
async fn the_producer_is_asked_for_exactly_as_many() {
    let (probe, mut calls) = ProducerProbe::counting();
    let numbers = probe.stage().spawn();
    let first = take(7)
        .stage()
        .subscribe_to(numbers.subscription().max_demand(4).min_demand(1))
        .spawn();
    let all = collect().stage().subscribe_to(&first).spawn();
    assert_eq!(soon(all.output()).await.unwrap(), Vec::from_iter(0..7));
    let asked = calls
        .drain()
        .await
        .into_iter()
        .filter_map(|call| match call {
            Call::Demand(demand) => Some(demand),
            _ => None,
        });
    assert_eq!(asked.sum::<usize>(), 7);
}

/// Reference: softwaremill/jox pull request 220, "fix Flow.take waiting for n+1 elements
/// instead of terminating at n": a source with no more than that does not end by itself.
#[tokio::test(start_paused = true)]
async fn it_completes_with_the_last_event_and_waits_for_no_other() {
    let (probe, _calls) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let first = take(3).stage().subscribe_to(&source).spawn();
    let all = collect().stage().subscribe_to(&first).spawn();
    soon(source.call(emit([1, 2]))).await.unwrap();
    pending(first.stage_ref().outcome()).await;
    soon(source.call(emit([3, 4, 5]))).await.unwrap();
    assert_eq!(soon(all.output()).await.unwrap(), [1, 2, 3]);
    assert!(soon(first.outcome()).await.is_completed());
    assert_eq!(source.stats().buffered, 2);
}

#[tokio::test(start_paused = true)]
async fn none_completes_at_once_and_asks_for_nothing() {
    let (probe, mut calls) = ProducerProbe::<u64>::counting();
    let numbers = probe.stage().spawn();
    let none = take(0).stage().subscribe_to(&numbers).spawn();
    let all = collect().stage().subscribe_to(&none).spawn();
    assert!(soon(all.output()).await.unwrap().is_empty());
    soon(none.join()).await.unwrap();
    calls.consumer_joined().await;
    let (_, outcome) = calls.consumer_left().await;
    assert!(outcome.is_completed());
    calls.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn it_completes_with_its_producer_if_that_has_fewer() {
    let numbers = from_iter(0..3_u64).stage().spawn();
    let first = take(1_000_000).stage().subscribe_to(&numbers).spawn();
    let all = collect().stage().subscribe_to(&first).spawn();
    assert_eq!(soon(all.output()).await.unwrap(), [0, 1, 2]);
}

/// It asks within its demand limits, however many events it is to take.
#[tokio::test(start_paused = true)]
async fn back_pressure_holds_for_a_large_number() {
    let (probe, _calls) = ProducerProbe::counting();
    let numbers = probe.stage().spawn();
    let first = take(1_000_000)
        .stage()
        .subscribe_to(numbers.subscription().max_demand(100))
        .spawn();
    let (probe, mut calls) = ConsumerProbe::manual();
    let consumer = probe.stage().subscribe_to(&first).spawn();
    let from = calls.producer_joined().await.subscription;
    calls.quiet().await;
    assert_eq!(numbers.stats().delivered, 100);
    consumer.ask(from, 60);
    assert_eq!(calls.gather(60).await, Vec::from_iter(0..60));
    calls.quiet().await;
    assert!(numbers.stats().delivered <= 200, "{:?}", numbers.stats());
}

fn silent(events: u64) -> (ProducerHandle<ProducerProbe<u64>>, Vec<u64>) {
    let probe = ProducerProbe::silent().0;
    (probe.stage().spawn(), Vec::from_iter(0..events))
}

/// Each of two producers is asked for half, and when one ends with less, the other is
/// asked for what that has not sent.
#[tokio::test(start_paused = true)]
async fn a_producer_that_ends_leaves_its_share_to_the_other() {
    let few = from_iter([100_u64, 101]).stage().gate(Gate::Closed).spawn();
    let (many, _) = silent(0);
    let first = take(10)
        .stage()
        .subscribe_to(&few)
        .subscribe_to(&many)
        .spawn();
    let all = collect().stage().subscribe_to(&first).spawn();
    soon(many.call(emit(0..20))).await.unwrap();
    pending(first.stage_ref().outcome()).await;
    assert_eq!(many.stats().delivered, 5);
    few.set_gate(Gate::Open);
    let mut all = soon(all.output()).await.unwrap();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4, 5, 6, 7, 100, 101]);
    assert_eq!(many.stats().buffered, 12);
}

/// Somebody asks by hand over its subscription: it emits no more for that.
#[tokio::test(start_paused = true)]
async fn what_is_asked_for_by_hand_does_not_pass() {
    let (probe, mut calls) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let first = take(3).stage().subscribe_to(&source).spawn();
    let from = calls.consumer_joined().await.subscription;
    first.ask(from, 5);
    let all = collect().stage().subscribe_to(&first).spawn();
    soon(source.call(emit(0..8))).await.unwrap();
    assert_eq!(soon(all.output()).await.unwrap(), [0, 1, 2]);
    assert!(soon(first.outcome()).await.is_completed());
}

/// A new state takes as many again. What the old one had asked for counts as asked.
#[tokio::test(start_paused = true)]
async fn a_new_state_begins_again_and_asks_for_nothing_twice() {
    let pipeline = Pipeline::new();
    let group = pipeline.group(RestartStrategy::OneForAll);
    let (probe, _calls) = ProducerProbe::counting();
    let numbers = probe.stage().in_group(&pipeline).spawn();
    let first = supervised(|| take(10))
        .stage()
        .subscribe_to(numbers.subscription().max_demand(4).min_demand(3))
        .in_group(&group)
        .spawn();
    let sink = supervised(|| {
        try_for_each(|n| {
            if n == 6 {
                Err("no room for 6".into())
            } else {
                Ok(())
            }
        })
    });
    let sink = sink
        .restart(at_once())
        .stage()
        .subscribe_to(first.subscription().max_demand(1))
        .in_group(&group)
        .spawn();
    soon(sink.join()).await.unwrap();
    assert_eq!(first.stats().restarts, 1);
    let passed = first.stats().events_out;
    assert!(
        (16..=18).contains(&passed),
        "seven or so, and then ten: {passed}"
    );
    assert_eq!(numbers.stats().delivered, passed);
}

/// However many producers there are and however it asks: it takes exactly so many, or
/// all there are, and what it leaves is still there.
#[test]
fn nothing_is_taken_beyond_and_nothing_is_lost() {
    seeds(300, |seed, mut random| async move {
        let pipeline = Pipeline::new();
        let n = random.usize(0..60);
        let counts: Vec<u64> = (0..random.usize(1..4)).map(|_| random.u64(0..40)).collect();
        let sources: Vec<_> = (0..)
            .zip(&counts)
            .map(|(at, count)| source(&pipeline, at, *count))
            .collect();
        let first = subscribed(n, &sources, &mut random)
            .in_group(&pipeline)
            .spawn();
        let got = collect()
            .stage()
            .subscribe_to(demanding(first.subscription(), &mut random, 10))
            .in_group(&pipeline)
            .spawn();
        let got = soon(got.output()).await.unwrap();
        let sum: u64 = counts.iter().sum();
        assert_eq!(got.len() as u64, sum.min(n as u64), "seed {seed}");
        soon(first.join()).await.unwrap();

        let rest = Arc::new(Mutex::new(Vec::new()));
        for source in &sources {
            let theirs = Arc::clone(&rest);
            let reader =
                stage_runtime::operators::for_each(move |n| theirs.lock().unwrap().push(n));
            // One that has completed counts as read to its end.
            let reader = reader
                .stage()
                .subscribe_to(source)
                .in_group(&pipeline)
                .spawn();
            soon(reader.join()).await.unwrap();
        }
        let mut all = [got, std::mem::take(&mut rest.lock().unwrap())].concat();
        all.sort_unstable();
        let expected: Vec<u64> = (0..)
            .zip(&counts)
            .flat_map(|(at, count)| numbers(at, *count))
            .collect();
        assert_eq!(all, expected, "seed {seed}");
        assert_settled(&pipeline);
    });
}

fn numbers(at: u64, count: u64) -> std::ops::Range<u64> {
    at * 1_000..at * 1_000 + count
}

type Numbers = ProducerHandle<FromIter<std::ops::Range<u64>>>;

fn source(pipeline: &Pipeline, at: u64, count: u64) -> Numbers {
    from_iter(numbers(at, count))
        .stage()
        .in_group(pipeline)
        .spawn()
}

fn subscribed(
    n: usize,
    sources: &[Numbers],
    random: &mut Rng,
) -> stage_runtime::builder::ProducerConsumerBuilder<stage_runtime::operators::Take<u64>, Demand<u64>>
{
    sources.iter().fold(take(n).stage(), |stage, source| {
        stage.subscribe_to(demanding(source.subscription(), random, 20))
    })
}
