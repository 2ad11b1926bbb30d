//! What a stage says it has done.

use std::time::Duration;

use crate::common::{pending, soon};
use stage_runtime::operators::{fold, for_each, from_iter};
use stage_runtime::prelude::*;
use stage_test::probe::{ConsumerProbe, ProducerProbe, RelayProbe, act, emit};
use tokio::time::{advance, sleep};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn events_and_batches_are_counted_at_every_stage() {
    let source = from_iter(0..100u64).stage().spawn();
    let (relay, _) = RelayProbe::new(|events: &mut Batch<u64>, out| {
        out.extend(events.into_iter().filter(|n| n % 4 == 0));
        Ok(())
    });
    let terms = source.subscription().max_demand(20).min_demand(10);
    let relay = relay.stage().subscribe_to(terms).spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe.stage().subscribe_to(&relay).spawn();
    soon(consumer.outcome()).await;
    let mut batches = 0;
    let mut events = 0;
    while events < 25 {
        events += calls.events().await.len();
        batches += 1;
    }
    let (source, relay, consumer) = (source.stats(), relay.stats(), consumer.stats());
    assert_eq!(
        (source.events_in, source.batches_in, source.events_out),
        (0, 0, 100)
    );
    assert_eq!(
        (source.delivered, source.discarded, source.buffered),
        (100, 0, 0)
    );
    assert!(
        (5..=10).contains(&source.batches_out),
        "{}",
        source.batches_out
    );
    assert_eq!((relay.events_in, relay.batches_in), (100, 10));
    assert_eq!(
        (relay.events_out, relay.batches_out, relay.delivered),
        (25, 10, 25)
    );
    assert_eq!((consumer.events_in, consumer.batches_in), (25, batches));
    assert_eq!(
        (
            consumer.events_out,
            consumer.batches_out,
            consumer.delivered
        ),
        (0, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_counts_an_event_for_every_subscriber_it_goes_to() {
    let source = from_iter(0..10u64)
        .stage()
        .dispatcher(Broadcast::new())
        .gate(Gate::Closed)
        .spawn();
    let count = || fold(0, |count, _: u64| count + 1).stage();
    let all = count().subscribe_to(&source).spawn();
    let odd = count()
        .subscribe_to(source.selector(|n| n % 2 == 1))
        .spawn();
    pending(all.outcome()).await;
    source.set_gate(Gate::Open);
    assert_eq!(soon(all.output()).await.unwrap(), 10);
    assert_eq!(soon(odd.output()).await.unwrap(), 5);
    let stats = source.stats();
    assert_eq!(
        (stats.events_out, stats.delivered, stats.discarded),
        (10, 15, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_emits_nothing_emits_no_batch() {
    let (probe, mut calls) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    for_each(|_: u64| {}).stage().subscribe_to(&source).spawn();
    calls.demand().await;
    source.call(emit([])).await.unwrap();
    source.call(emit([1])).await.unwrap();
    assert_eq!(
        (source.stats().events_out, source.stats().batches_out),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_producer_tells_waiting_for_demand_from_waiting_for_events() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    pending(source.outcome()).await;
    advance(3 * SECOND).await;
    let (probe, mut below) = ConsumerProbe::manual();
    let consumer = probe.stage().spawn();
    let id = soon(consumer.subscribe(&source)).await.unwrap();
    advance(4 * SECOND).await;
    consumer.ask(id, 2);
    assert_eq!(above.demand().await, 2);
    // Now it waits for events that it does not have.
    advance(5 * SECOND).await;
    source.call(emit([1, 2])).await.unwrap();
    below.gather(2).await;
    advance(7 * SECOND).await;
    source.stop("enough");
    soon(source.outcome()).await;
    let stats = source.stats();
    // `pending` took the 50 ms.
    assert_eq!(
        stats.waiting_for_demand,
        14 * SECOND + Duration::from_millis(50)
    );
    assert_eq!(stats.waiting_for_events, 5 * SECOND);
    assert_eq!(stats.in_handlers, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_waits_for_events_and_works_in_its_handlers() {
    struct Slow;

    impl Consumer for Slow {
        type Event = u64;

        async fn handle_events(
            &mut self,
            events: &mut Batch<u64>,
            _: &mut Context<'_>,
        ) -> StageResult {
            sleep(events.len() as u32 * SECOND).await;
            Ok(())
        }
    }

    let (probe, mut calls) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let consumer = Slow.stage().subscribe_to(&source).spawn();
    calls.demand().await;
    advance(2 * SECOND).await;
    source.call(emit([1, 2, 3])).await.unwrap();
    source
        .call(act(|out| {
            out.complete();
            Ok(())
        }))
        .await
        .unwrap();
    soon(consumer.outcome()).await;
    let stats = consumer.stats();
    assert_eq!(stats.in_handlers, 3 * SECOND);
    assert_eq!(stats.waiting_for_events, 2 * SECOND);
    assert_eq!(stats.waiting_for_demand, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_has_input_and_no_demand_waits_for_demand() {
    let source = from_iter(0..10u64).stage().spawn();
    let (relay, mut middle) = RelayProbe::new(|events: &mut Batch<u64>, out| {
        out.extend(events);
        Ok(())
    });
    let relay = relay.stage().subscribe_to(&source).spawn();
    middle.producer_joined().await;
    pending(relay.outcome()).await;
    advance(2 * SECOND).await;
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&relay)
        .spawn();
    assert_eq!(soon(sum.output()).await.unwrap(), 45);
    soon(relay.outcome()).await;
    let waited = relay.stats();
    assert_eq!(
        waited.waiting_for_demand,
        2 * SECOND + Duration::from_millis(50)
    );
    assert_eq!(waited.waiting_for_events, Duration::ZERO);
}
