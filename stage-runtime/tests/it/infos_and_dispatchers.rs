//! An info waits for its producer's buffer, and for nothing that a dispatcher
//! holds or its consumers want (B7, H7).

use crate::common::{pending, soon};
use stage_core::Dispatcher;
use stage_runtime::ProducerHandle;
use stage_runtime::prelude::*;
use stage_test::probe::{Calls, ConsumerProbe, ProducerProbe, emit};

type Source<R> = ProducerHandle<ProducerProbe<u64>, R>;

fn source<D>(dispatcher: D) -> (Source<D::Route>, Calls<u64>)
where
    D: Dispatcher<Event = u64> + 'static,
    D::Route: Send,
{
    let (probe, calls) = ProducerProbe::silent();
    (probe.stage().dispatcher(dispatcher).spawn(), calls)
}

fn halves() -> Partition<u64> {
    Partition::by_index(2, |n: &u64| Some(usize::from(*n >= 10))).expect("two partitions")
}

/// Two consumers, of which only the second asks; an info comes at once.
async fn check<R: Send + 'static>(
    (source, mut calls): (Source<R>, Calls<u64>),
    routes: [Subscription<u64>; 2],
) {
    let mut ids = Vec::new();
    let mut consumers = Vec::new();
    for route in routes {
        let consumer = ConsumerProbe::<u64>::manual().0.stage().spawn();
        ids.push(soon(consumer.subscribe(route)).await.expect("it runs"));
        consumers.push(consumer);
        calls.consumer_joined().await;
    }
    consumers[1].ask(ids[1], 3);
    pending(source.outcome()).await;
    calls.drain().await;
    source.info("hello").expect("it runs");
    assert_eq!(calls.info().await, "hello");
    calls.quiet().await;
}

/// GS054
#[tokio::test(start_paused = true)]
async fn a_broadcast_holds_up_no_info() {
    let stage = source(Broadcast::new());
    let routes = [stage.0.subscription(), stage.0.subscription()];
    check(stage, routes).await;
}

/// GS073
#[tokio::test(start_paused = true)]
async fn demand_holds_up_no_info() {
    let stage = source(Demand::new());
    let routes = [stage.0.subscription(), stage.0.subscription()];
    check(stage, routes).await;
}

/// GS082
#[tokio::test(start_paused = true)]
async fn partitions_hold_up_no_info() {
    let stage = source(halves());
    let routes = [stage.0.partition(0), stage.0.partition(1)];
    check(stage, routes).await;
}

/// GS083
#[tokio::test(start_paused = true)]
async fn partitions_without_a_consumer_hold_up_no_info() {
    let (source, mut calls) = source(halves());
    source.info("hello").unwrap();
    assert_eq!(calls.info().await, "hello");
}

/// GS084, where an info waits for a partition's queue; here it does not.
#[tokio::test(start_paused = true)]
async fn an_info_does_not_wait_for_what_a_partition_has_queued() {
    let (source, mut calls) = source(halves());
    let mut probes = Vec::new();
    for partition in [0, 1] {
        let (probe, events) = ConsumerProbe::<u64>::manual();
        let consumer = probe.stage().spawn();
        let id = soon(consumer.subscribe(source.partition(partition)))
            .await
            .unwrap();
        probes.push((consumer, id, events));
    }
    let [(slow, slow_id, slow_events), (quick, quick_id, _)] = &mut probes[..] else {
        panic!("two were made");
    };
    quick.ask(*quick_id, 3);
    // As much for each of the two (XP10).
    assert_eq!(calls.demand().await, 6);
    source.call(emit([1, 2, 5])).await.unwrap();
    assert_eq!(source.stats().buffered, 3, "they wait in the partition");
    source.info("hello").unwrap();
    assert_eq!(calls.info().await, "hello");
    slow_events.producer_joined().await;
    slow_events.quiet().await;
    slow.ask(*slow_id, 5);
    assert_eq!(slow_events.gather(3).await, [1, 2, 5]);
}
