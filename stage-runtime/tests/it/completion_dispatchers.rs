//! How pipelines complete behind each of the dispatchers.

use crate::common::{pending, soon};
use stage_runtime::operators::{fold, from_iter};
use stage_runtime::prelude::*;
use stage_test::probe::{ConsumerProbe, ProducerProbe, RelayProbe, act};

#[tokio::test(start_paused = true)]
async fn what_is_queued_for_a_partition_is_delivered_before_completion() {
    let parts = Partition::by_index(2, |n: &u64| Some((*n % 2) as usize)).unwrap();
    let source = from_iter(0..10u64).stage().dispatcher(parts).spawn();
    let (even, mut evens) = ConsumerProbe::new();
    let even = even.stage().subscribe_to(source.partition(0)).spawn();
    assert_eq!(evens.gather(5).await, [0, 2, 4, 6, 8]);
    pending(source.outcome()).await;
    assert_eq!(source.stats().buffered, 5);

    let (odd, mut odds) = ConsumerProbe::new();
    let odd = odd.stage().subscribe_to(source.partition(1)).spawn();
    assert_eq!(odds.gather(5).await, [1, 3, 5, 7, 9]);
    soon(source.join()).await.unwrap();
    soon(even.join()).await.unwrap();
    soon(odd.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_with_its_gate_shut_at_first_gives_everybody_everything() {
    let source = from_iter(0..100u64)
        .stage()
        .dispatcher(Broadcast::new())
        .gate(Gate::Closed)
        .spawn();
    let sum = || fold(0, |sum, n: u64| sum + n).stage();
    let one = sum().subscribe_to(&source).spawn();
    let two = sum()
        .subscribe_to(source.subscription().max_demand(7))
        .spawn();
    pending(one.outcome()).await;
    assert_eq!(source.stats().events_out, 0);
    source.set_gate(Gate::Open);
    assert_eq!(soon(one.output()).await.unwrap(), 4950);
    assert_eq!(soon(two.output()).await.unwrap(), 4950);
    soon(source.join()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_on_two_threads_a_hundred_times() {
    for round in 0..100 {
        let source = from_iter(0..1_000u64)
            .stage()
            .dispatcher(Broadcast::new())
            .gate(Gate::Closed)
            .spawn();
        let sum = || fold(0, |sum, n: u64| sum + n).stage();
        let one = sum().spawn();
        let two = sum().spawn();
        soon(one.subscribe(source.subscription().max_demand(1 + round)))
            .await
            .unwrap();
        soon(two.subscribe(&source)).await.unwrap();
        source.set_gate(Gate::Open);
        assert_eq!(soon(one.output()).await.unwrap(), 499_500);
        assert_eq!(soon(two.output()).await.unwrap(), 499_500);
        soon(source.join()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_consumers_of_one_producer_get_each_event_exactly_once() {
    for round in 0..50 {
        let source = from_iter(0..5_000u64).stage().spawn();
        let consumers: Vec<_> = (1..=4)
            .map(|n| {
                fold(Vec::new(), |mut all, n: u64| {
                    all.push(n);
                    all
                })
                .stage()
                .subscribe_to(source.subscription().max_demand(n * (1 + round % 40)))
                .spawn()
            })
            .collect();
        let mut all = Vec::new();
        for consumer in consumers {
            let events = soon(consumer.output()).await.unwrap();
            assert!(events.is_sorted(), "each link keeps the order");
            all.extend(events);
        }
        all.sort_unstable();
        assert_eq!(all, (0..5_000).collect::<Vec<_>>());
        soon(source.join()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_completes_leaves_its_producer_alive() {
    let (probe, mut producer_calls) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe
        .stage()
        .subscribe_to(source.subscription().max_demand(2))
        .spawn();
    calls.events().await;
    soon(consumer.call(act(|out| {
        out.complete();
        Ok(())
    })))
    .await
    .unwrap();
    soon(consumer.join()).await.unwrap();
    assert!(producer_calls.consumer_left().await.1.is_completed());
    pending(source.outcome()).await;
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_completes_waits_for_consumers_of_what_it_holds() {
    let source = from_iter(0..3u64).stage().spawn();
    let (relay, mut calls) = RelayProbe::new(|_: &mut Batch<u64>, _| Ok(()));
    let relay = relay
        .at_the_end(|out| {
            out.extend([10u64, 20]);
            Ok(())
        })
        .stage()
        .subscribe_to(&source)
        .spawn();
    // It handles nothing before somebody asks.
    calls.producer_joined().await;
    calls.quiet().await;
    let (probe, mut events) = ConsumerProbe::new();
    let consumer = probe
        .stage()
        .subscribe_to(relay.subscription().max_demand(1))
        .spawn();
    assert_eq!(events.gather(2).await, [10, 20]);
    soon(consumer.join()).await.unwrap();
    soon(relay.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_shut_gate_keeps_a_source_from_completing_before_it_opens() {
    let (probe, _) = ProducerProbe::silent();
    let source = probe.stage().gate(Gate::Closed).spawn();
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&source)
        .spawn();
    source
        .call(act(|out| {
            out.extend([1u64, 2]);
            out.complete();
            Ok(())
        }))
        .await
        .unwrap();
    pending(sum.outcome()).await;
    source.set_gate(Gate::Open);
    assert_eq!(soon(sum.output()).await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn demand_without_end_completes_behind_every_dispatcher() {
    let all = || {
        fold(Vec::new(), |mut all, n: u64| {
            all.push(n);
            all
        })
        .stage()
    };
    let events: Vec<u64> = (0..100).collect();

    let source = from_iter(0..100u64).stage().gate(Gate::Closed).spawn();
    let endless = || source.subscription().max_demand(usize::MAX);
    let two = (
        all().subscribe_to(endless()).spawn(),
        all().subscribe_to(endless()).spawn(),
    );
    source.set_gate(Gate::Open);
    let mut both = soon(two.0.output()).await.unwrap();
    both.extend(soon(two.1.output()).await.unwrap());
    both.sort_unstable();
    assert_eq!(both, events);

    let source = from_iter(0..100u64)
        .stage()
        .dispatcher(Broadcast::new())
        .gate(Gate::Closed)
        .spawn();
    let endless = || source.subscription().max_demand(usize::MAX);
    let two = (
        all().subscribe_to(endless()).spawn(),
        all().subscribe_to(endless()).spawn(),
    );
    source.set_gate(Gate::Open);
    assert_eq!(soon(two.0.output()).await.unwrap(), events);
    assert_eq!(soon(two.1.output()).await.unwrap(), events);

    let parts = Partition::by_index(2, |n: &u64| Some((*n % 2) as usize)).unwrap();
    let source = from_iter(0..100u64).stage().dispatcher(parts).spawn();
    let endless = |part| source.partition(part).max_demand(usize::MAX);
    let two = (
        all().subscribe_to(endless(0)).spawn(),
        all().subscribe_to(endless(1)).spawn(),
    );
    assert!(
        soon(two.0.output())
            .await
            .unwrap()
            .iter()
            .all(|n| n % 2 == 0)
    );
    assert_eq!(soon(two.1.output()).await.unwrap().len(), 50);
}
