//! Producer-consumers between a producer and several consumers, or none.

use crate::common::{fail, pending, soon, word};
use stage_core::Gate;
use stage_runtime::operators::from_iter;
use stage_runtime::prelude::*;
use stage_test::probe::{Call, Calls, ConsumerProbe, ProducerProbe, RelayProbe, act};

fn twice() -> (RelayProbe<u64, u64>, Calls<u64>) {
    RelayProbe::new(|events: &mut Batch<u64>, out| {
        out.extend(events.into_iter().flat_map(|n| [n, n]));
        Ok(())
    })
}

/// The numbers from `range`, each of them twice.
fn pairs(range: std::ops::Range<u64>) -> Vec<u64> {
    range.flat_map(|n| [n, n]).collect()
}

fn batches(calls: Vec<Call<u64>>) -> Vec<Vec<u64>> {
    let events = |call| match call {
        Call::Events(events) => Some(events),
        _ => None,
    };
    calls.into_iter().filter_map(events).collect()
}

/// GS103
#[tokio::test(start_paused = true)]
async fn a_relay_that_broadcasts_sends_everything_to_everybody() {
    let source = from_iter(0..1_000u64).stage().spawn();
    let (probe, mut middle) = twice();
    let relay = probe
        .stage()
        .dispatcher(Broadcast::new())
        .gate(Gate::Closed)
        .subscribe_to(source.subscription().max_demand(10))
        .spawn();
    let terms = |max| relay.subscription().max_demand(max).min_demand(0);
    let (one, mut ones) = ConsumerProbe::new();
    let (two, mut twos) = ConsumerProbe::new();
    let one = one.stage().subscribe_to(terms(10)).spawn();
    two.stage().subscribe_to(terms(20)).spawn();
    ones.producer_joined().await;
    twos.producer_joined().await;
    relay.set_gate(Gate::Open);
    soon(one.join()).await.unwrap();
    for (max, calls) in [(10, &mut ones), (20, &mut twos)] {
        let batches = batches(calls.drain().await);
        assert!(batches.iter().all(|batch| batch.len() <= max));
        assert_eq!(batches.concat(), pairs(0..1_000));
    }
    let upstream = batches(middle.drain().await);
    assert!(upstream.iter().all(|batch| batch.len() <= 5));
}

/// GS104
#[tokio::test(start_paused = true)]
async fn a_relay_that_broadcasts_waits_for_whoever_has_not_asked() {
    let (probe, _) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let (probe, mut middle) = twice();
    let relay = probe
        .stage()
        .dispatcher(Broadcast::new())
        .subscribe_to(&source)
        .spawn();
    let idle = ConsumerProbe::<u64>::manual().0.stage().spawn();
    let blocks = soon(idle.subscribe(relay.subscription().on_cancel(CancelMode::Temporary)))
        .await
        .unwrap();
    let (one, mut ones) = ConsumerProbe::new();
    let (two, mut twos) = ConsumerProbe::new();
    let (one, two) = (one.stage().spawn(), two.stage().spawn());
    let terms = |max| relay.subscription().max_demand(max).min_demand(0);
    soon(one.subscribe(terms(10))).await.unwrap();
    soon(two.subscribe(terms(20))).await.unwrap();
    ones.producer_joined().await;
    twos.producer_joined().await;
    ones.quiet().await;
    twos.quiet().await;
    let before = middle.drain().await;
    assert!(batches(before).is_empty(), "nobody can be sent anything");
    idle.cancel(blocks, "go on");
    for first in (0..500).step_by(5) {
        assert_eq!(ones.events().await, pairs(first..first + 5));
    }
    assert_eq!(twos.gather(1_000).await, pairs(0..500));
}

/// GS105
#[tokio::test(start_paused = true)]
async fn what_a_lost_producer_had_sent_is_handled_when_there_is_demand() {
    for loss in ["cancelled by the relay", "stopped", "failed"] {
        let (probe, mut above) = ProducerProbe::counting();
        let source = probe.stage().spawn();
        let (probe, mut middle) = twice();
        let relay = probe.stage().spawn();
        let terms = source
            .subscription()
            .max_demand(100)
            .min_demand(50)
            .on_cancel(CancelMode::Temporary);
        let id = soon(relay.subscribe(terms)).await.unwrap();
        assert_eq!(middle.producer_joined().await.subscription, id);
        assert_eq!(above.demand().await, 100);
        pending(relay.outcome()).await;
        match loss {
            "stopped" => source.stop("done"),
            "failed" => source.cast(act(|_| fail("done"))).unwrap(),
            _ => relay.cancel(id, "done"),
        }
        middle.quiet().await;

        let (probe, mut below) = ConsumerProbe::new();
        let consumer = probe.stage().spawn();
        let terms = relay.subscription().max_demand(100).min_demand(50);
        soon(consumer.subscribe(terms)).await.unwrap();
        middle.consumer_joined().await;
        assert_eq!(middle.events().await, (0..50).collect::<Vec<_>>());
        assert_eq!(middle.events().await, (50..100).collect::<Vec<_>>());
        let (peer, outcome) = middle.producer_left().await;
        assert_eq!(peer.subscription, id);
        assert!(outcome.to_string().ends_with("done"), "{loss}: {outcome}");
        assert_eq!(below.gather(200).await, pairs(0..100), "{loss}");
        middle.quiet().await;
        pending(relay.outcome()).await;
    }
}

/// GS175
#[tokio::test(start_paused = true)]
async fn a_relay_learns_how_its_consumers_ended_and_goes_on() {
    for end in ["completed", "cancelled", "failed"] {
        let (probe, _) = ProducerProbe::counting();
        let source = probe.stage().spawn();
        let (probe, mut middle) = twice();
        let relay = probe.stage().subscribe_to(&source).spawn();
        let (probe, _calls) = ConsumerProbe::<u64>::manual();
        let consumer = probe.stage().name("consumer").spawn();
        let id = soon(consumer.subscribe(&relay)).await.unwrap();
        assert_eq!(middle.consumer_joined().await.subscription, id);
        match end {
            "completed" => consumer
                .cast(act(|out| {
                    out.complete();
                    Ok(())
                }))
                .unwrap(),
            "cancelled" => consumer.stop("oops"),
            _ => consumer.cast(act(|_| fail("oops"))).unwrap(),
        }
        let (peer, outcome) = middle.consumer_left().await;
        assert_eq!((peer.subscription, word(&outcome)), (id, end));
        assert_eq!(&*peer.stage, "consumer");
        pending(relay.outcome()).await;
        let (probe, mut events) = ConsumerProbe::manual();
        let next = probe.stage().spawn();
        let id = soon(next.subscribe(&relay)).await.unwrap();
        next.ask(id, 4);
        assert_eq!(events.gather(4).await, pairs(0..2));
    }
}
