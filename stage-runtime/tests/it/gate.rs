//! The gate: wiring a pipeline before the first event moves (G1 to G4).

use crate::common::{pending, soon};
use stage_runtime::operators::{fold, from_iter};
use stage_runtime::prelude::*;
use stage_test::probe::{Call, ConsumerProbe, ProducerProbe, emit};

/// GS108
#[tokio::test(start_paused = true)]
async fn a_shut_gate_lets_nothing_through_until_it_opens() {
    for at_the_start in [true, false] {
        let (probe, mut above) = ProducerProbe::counting();
        let gate = if at_the_start {
            Gate::Closed
        } else {
            Gate::Open
        };
        let source = probe.stage().gate(gate).spawn();
        source.set_gate(Gate::Closed);
        let (probe, mut below) = ConsumerProbe::manual();
        let consumer = probe.stage().spawn();
        let id = soon(consumer.subscribe(&source)).await.unwrap();
        consumer.ask(id, 4);
        below.producer_joined().await;
        above.consumer_joined().await;
        above.quiet().await;
        below.quiet().await;
        source.set_gate(Gate::Open);
        assert_eq!(below.events().await, [0, 1, 2, 3]);
        assert_eq!(above.demand().await, 4);
    }
}

/// GS107
#[tokio::test(start_paused = true)]
async fn what_is_emitted_behind_a_shut_gate_is_kept_for_all() {
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().dispatcher(Broadcast::new()).spawn();
    source.set_gate(Gate::Closed);
    for n in 1..=4 {
        source.call(emit([n])).await.unwrap();
    }
    let (one, mut ones) = ConsumerProbe::new();
    let (two, mut twos) = ConsumerProbe::new();
    one.stage().subscribe_to(&source).spawn();
    two.stage().subscribe_to(&source).spawn();
    for calls in [&mut ones, &mut twos] {
        calls.producer_joined().await;
        calls.quiet().await;
    }
    assert_eq!(source.stats().buffered, 4);
    source.set_gate(Gate::Open);
    assert_eq!(ones.gather(4).await, [1, 2, 3, 4]);
    assert_eq!(twos.gather(4).await, [1, 2, 3, 4]);
    assert_eq!(source.stats().buffered, 0);
}

/// GS109
#[tokio::test(start_paused = true)]
async fn a_gate_may_open_before_there_is_a_subscription() {
    let (probe, _) = ProducerProbe::counting();
    let source = probe.stage().gate(Gate::Closed).spawn();
    source.set_gate(Gate::Open);
    let (probe, mut below) = ConsumerProbe::new();
    let four = source.subscription().max_demand(4).min_demand(0);
    probe.stage().subscribe_to(four).spawn();
    assert_eq!(below.events().await, [0, 1, 2, 3]);
}

/// GS106 GS110
#[tokio::test(start_paused = true)]
async fn shutting_a_shut_gate_forgets_no_demand() {
    let (probe, _) = ProducerProbe::counting();
    let source = probe.stage().gate(Gate::Closed).spawn();
    let (probe, mut below) = ConsumerProbe::new();
    let four = source.subscription().max_demand(4).min_demand(0);
    let consumer = probe.stage().spawn();
    soon(consumer.subscribe(four)).await.unwrap();
    below.producer_joined().await;
    below.quiet().await;
    source.set_gate(Gate::Closed);
    below.quiet().await;
    source.set_gate(Gate::Open);
    assert_eq!(below.events().await, [0, 1, 2, 3]);
}

/// GS111, where ours adds the demand up.
#[tokio::test(start_paused = true)]
async fn demand_that_was_collected_is_served_at_once() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().gate(Gate::Closed).spawn();
    let (one, two) = (
        ConsumerProbe::new().0.stage().spawn(),
        ConsumerProbe::new().0.stage().spawn(),
    );
    soon(one.subscribe(source.subscription().max_demand(2)))
        .await
        .unwrap();
    soon(two.subscribe(source.subscription().max_demand(3)))
        .await
        .unwrap();
    above.consumer_joined().await;
    above.consumer_joined().await;
    above.quiet().await;
    source.set_gate(Gate::Open);
    assert_eq!(above.demand().await, 5);
    above.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn opening_an_open_gate_asks_again_and_changes_nothing() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let consumer = ConsumerProbe::new().0.stage().spawn();
    soon(consumer.subscribe(source.subscription().max_demand(2)))
        .await
        .unwrap();
    assert_eq!(above.demand().await, 2);
    source.set_gate(Gate::Open);
    assert_eq!(above.demand().await, 2);
}

#[tokio::test(start_paused = true)]
async fn demand_from_before_the_gate_shut_waits_as_well() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let (probe, mut below) = ConsumerProbe::new();
    let consumer = probe.stage().spawn();
    soon(consumer.subscribe(source.subscription().max_demand(8)))
        .await
        .unwrap();
    assert_eq!(above.demand().await, 8);
    source.set_gate(Gate::Closed);
    source.call(emit([1, 2, 3])).await.unwrap();
    below.producer_joined().await;
    below.quiet().await;
    source.set_gate(Gate::Open);
    assert_eq!(below.gather(3).await, [1, 2, 3]);
}

/// G1: also of a partition's queue nothing leaves.
#[tokio::test(start_paused = true)]
async fn a_shut_gate_holds_back_what_a_partition_has_queued() {
    let parts = Partition::by_index(2, |n: &u64| Some((*n % 2) as usize)).unwrap();
    let (probe, _) = ProducerProbe::silent();
    let source = probe.stage().dispatcher(parts).spawn();
    let (even, mut evens) = ConsumerProbe::new();
    even.stage().subscribe_to(source.partition(0)).spawn();
    evens.producer_joined().await;
    pending(std::future::pending::<()>()).await;
    source.call(emit([1, 2, 3])).await.unwrap();
    assert_eq!(evens.events().await, [2]);
    source.set_gate(Gate::Closed);
    let (odd, mut odds) = ConsumerProbe::new();
    odd.stage().subscribe_to(source.partition(1)).spawn();
    odds.producer_joined().await;
    odds.quiet().await;
    source.set_gate(Gate::Open);
    assert_eq!(odds.gather(2).await, [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_relay_with_a_shut_gate_handles_nothing() {
    let source = from_iter(0..10u64).stage().spawn();
    let (relay, mut middle) = stage_test::probe::RelayProbe::new(|events: &mut Batch<u64>, out| {
        out.extend(events);
        Ok(())
    });
    let relay = relay
        .stage()
        .gate(Gate::Closed)
        .subscribe_to(&source)
        .spawn();
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&relay)
        .spawn();
    let calls = middle.drain().await;
    assert!(
        !calls.iter().any(|call| matches!(call, Call::Events(_))),
        "{calls:?}"
    );
    relay.set_gate(Gate::Open);
    assert_eq!(soon(sum.output()).await.unwrap(), 45);
}
