//! Detached in a running pipeline: a slow consumer slows nobody but itself.

use std::sync::Arc;
use std::time::Duration;

use stage_core::{Bound, WhenFull};
use stage_dispatchers::{Detached, SubscriberQueue};
use stage_runtime::operators::{fold, from_iter};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};
use tokio::sync::Semaphore;

use crate::common::{cancelled, pending, soon};

const EVENTS: u64 = 5_000;

/// The fast consumers get everything while the slow one is inside its handler. What the
/// slow one lost is counted under its name: a counter that nobody reads hides that, as in
/// ActiveMemory/ctx#94.
#[tokio::test(start_paused = true)]
async fn a_slow_consumer_sheds_and_the_others_get_everything() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..EVENTS)
        .stage()
        .dispatcher(Detached::new())
        .gate(Gate::Closed)
        .in_group(&pipeline)
        .spawn();
    let permits = Arc::new(Semaphore::new(0));
    let (probe, mut slow) = ConsumerProbe::new();
    let slow_stage = probe.held_by(&permits).stage().in_group(&pipeline).spawn();
    let queue = SubscriberQueue::new().bound(Bound::Events(100));
    let terms = source.route(queue).max_demand(10).min_demand(5);
    let id = slow_stage.subscribe(terms).await.unwrap();
    let fast: Vec<_> = (0..3)
        .map(|_| {
            let count = fold(0, |count, _: u64| count + 1).stage();
            // Nothing is lost: its queue holds all.
            let all = SubscriberQueue::new().bound(Bound::Unbounded);
            count
                .subscribe_to(source.route(all))
                .in_group(&pipeline)
                .spawn()
        })
        .collect();
    soon(async {
        while source.stats().discarded == 0 {
            source.set_gate(Gate::Open);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for consumer in &fast {
        assert_eq!(consumer.stats().events_in, EVENTS);
    }
    // It waits for the slow one, which has its last 100 events to get.
    pending(source.outcome()).await;
    assert_eq!(source.stats().buffered, 100);
    let links = pipeline.snapshot().links;
    let text = format!("{:#}", pipeline.explain(Duration::from_secs(30)));
    let (slow_name, hub) = (slow_stage.name(), source.name());
    let missed = format!("`{slow_name}` has missed 4,890 events: `{hub}` shed them");
    assert_eq!(text.lines().last(), Some(&*missed));
    let shed = |id| links.iter().find(|link| link.id == id).unwrap().totals.shed;
    assert_eq!(shed(id), EVENTS - 100 - 10);
    assert_eq!(source.stats().discarded, shed(id));
    let others = links.iter().filter(|link| link.id != id);
    assert_eq!(others.map(|link| link.totals.shed).sum::<u64>(), 0);

    permits.add_permits(1_000);
    let got = slow.gather(110).await;
    assert_eq!(got[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(got[10..], (EVENTS - 100..EVENTS).collect::<Vec<_>>());
    soon(source.join()).await.unwrap();
    for consumer in fast {
        assert_eq!(soon(consumer.output()).await.unwrap(), EVENTS);
    }
    soon(slow_stage.join()).await.unwrap();
    assert_settled(&pipeline);
}

/// The queue of a slow consumer with `Detach` ends its subscription, with a reason that
/// says why and no more than that: a2aproject/a2a-python#1209.
#[tokio::test(start_paused = true)]
async fn a_slow_consumer_is_detached() {
    let pipeline = Pipeline::new();
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe
        .stage()
        .dispatcher(Detached::new())
        .in_group(&pipeline)
        .spawn();
    let permits = Arc::new(Semaphore::new(0));
    let (probe, mut slow) = ConsumerProbe::new();
    let queue = SubscriberQueue::new()
        .bound(Bound::Events(2))
        .when_full(WhenFull::Detach);
    let consumer = probe
        .held_by(&permits)
        .stage()
        .subscribe_to(source.route(queue).max_demand(1).min_demand(0))
        .in_group(&pipeline)
        .spawn();
    above.consumer_joined().await;
    source.call(emit([1, 2, 3])).await.unwrap();
    assert_eq!(slow.events().await, [1]);
    source.call(emit([4])).await.unwrap();
    pending(above.consumer_left()).await;
    permits.add_permits(1);
    let why = cancelled(soon(consumer.join()).await);
    assert_eq!(why, "it is too slow: its queue of 2 events is full");
    above.consumer_left().await;
    // 2 and 3 were queued, 4 did not fit.
    assert_eq!((source.stats().discarded, source.stats().buffered), (3, 0));
    assert_settled(&pipeline);
}

/// A full queue with `Wait` is what the producer waits for, and `explain` names it.
#[tokio::test(start_paused = true)]
async fn explain_names_the_one_that_all_wait_for() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..EVENTS)
        .stage()
        .dispatcher(Detached::new())
        .name("hub")
        .in_group(&pipeline)
        .spawn();
    let permits = Arc::new(Semaphore::new(0));
    let (probe, _calls) = ConsumerProbe::new();
    let queue = SubscriberQueue::new()
        .bound(Bound::Events(20))
        .when_full(WhenFull::Wait);
    let slow = probe.held_by(&permits).stage().name("slow");
    let slow = slow
        .subscribe_to(source.route(queue).max_demand(10))
        .in_group(&pipeline)
        .spawn();
    let fast = fold(0, |count, _: u64| count + 1)
        .stage()
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(source.stats().discarded, 0);
    let links = pipeline.snapshot().links;
    let link = links
        .iter()
        .find(|link| &*link.consumer.name == slow.name());
    let id = link.unwrap().id;
    let text = format!("{:#}", pipeline.snapshot().explain(Duration::from_secs(1)));
    assert!(
        text.contains("`slow` has been inside handle_events"),
        "{text}"
    );
    let holds = format!("the queue of {id} holds 20 events for it");
    assert!(text.contains(&holds), "{text}");
    permits.add_permits(10_000);
    assert!(soon(fast.output()).await.unwrap() > 0);
    soon(source.join()).await.unwrap();
}

/// A hub that runs without subscribers starts by itself: `at_rest` is asked before the
/// first step.
#[tokio::test(start_paused = true)]
async fn a_hot_hub_starts_without_subscribers() {
    let hot = from_iter(0..EVENTS)
        .stage()
        .dispatcher(Detached::new().hot())
        .spawn();
    let stats = hot.stage_ref();
    soon(hot.join()).await.unwrap();
    assert_eq!(stats.stats().discarded, EVENTS);

    let (probe, mut cold) = ProducerProbe::<u64>::counting();
    let waits = probe.stage().dispatcher(Detached::new()).spawn();
    cold.quiet().await;
    assert_eq!(waits.stats().events_out, 0);
}

/// With its gate shut it starts when that is opened.
#[tokio::test(start_paused = true)]
async fn a_hot_hub_waits_for_its_gate() {
    let (probe, mut calls) = ProducerProbe::<u64>::silent();
    let hub = probe
        .stage()
        .dispatcher(Detached::new().hot())
        .gate(Gate::Closed)
        .spawn();
    calls.quiet().await;
    hub.set_gate(Gate::Open);
    assert_eq!(calls.demand().await, 1_000);
}
