//! Draining: sources take nothing new in, everything under way arrives, and the
//! stages complete from the top down.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{cancelled, pending, soon};
use stage_runtime::operators::{fold, for_each, for_each_ref, from_iter, map};
use stage_runtime::prelude::*;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};
use tokio::sync::Semaphore;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn before_the_first_event_and_after_the_last() {
    let pipeline = Pipeline::new();
    soon(pipeline.drain(SECOND)).await.unwrap();

    let pipeline = Pipeline::new();
    let source = from_iter(0..100u64)
        .stage()
        .gate(Gate::Closed)
        .in_group(&pipeline)
        .spawn();
    let all = fold(0, |count, _: u64| count + 1)
        .stage()
        .subscribe_to(&source);
    let all = all.in_group(&pipeline).spawn();
    soon(pipeline.drain(SECOND)).await.unwrap();
    assert_eq!(soon(all.output()).await.unwrap(), 0);
    soon(pipeline.drain(SECOND)).await.unwrap();
    soon(pipeline.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_buffered_queued_and_in_hand_arrives() {
    let pipeline = Pipeline::new();
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().gate(Gate::Closed).in_group(&pipeline).spawn();
    let permits = Arc::new(Semaphore::new(0));
    let relay = map(|n: u64| n)
        .stage()
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe
        .held_by(&permits)
        .stage()
        .subscribe_to(relay.subscription().max_demand(4).min_demand(2))
        .in_group(&pipeline)
        .spawn();
    // Behind the gate: the drain opens it.
    source.call(emit(0..30)).await.unwrap();
    let mut drain = tokio::spawn({
        let pipeline = pipeline.clone();
        async move { pipeline.drain(600 * SECOND).await }
    });
    pending(&mut drain).await;
    assert!(
        above.drain().await.len() < 3,
        "nobody asks the source any more"
    );
    permits.add_permits(100);
    assert_eq!(calls.gather(30).await, (0..30).collect::<Vec<_>>());
    soon(drain).await.unwrap().unwrap();
    soon(pipeline.join()).await.unwrap();
    assert!(consumer.is_ended());
}

#[tokio::test(start_paused = true)]
async fn past_its_deadline_it_stops_the_rest_and_counts_it() {
    let pipeline = Pipeline::new();
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().name("source").in_group(&pipeline).spawn();
    let permits = Arc::new(Semaphore::new(0));
    let (probe, mut calls) = ConsumerProbe::new();
    probe
        .held_by(&permits)
        .stage()
        .name("stuck")
        .subscribe_to(source.subscription().max_demand(10).min_demand(8))
        .in_group(&pipeline)
        .spawn();
    above.demand().await;
    source.call(emit(0..17)).await.unwrap();
    calls.events().await;
    let started = tokio::time::Instant::now();
    let error = soon(pipeline.drain(5 * SECOND)).await.unwrap_err();
    assert!(started.elapsed() < 7 * SECOND);
    assert_eq!(
        error.to_string(),
        "not drained within 5s: `source` had 7 events buffered and 0 unhandled; \
         `stuck` had 0 events buffered and 10 unhandled"
    );
    assert!(source.is_ended());
    cancelled(soon(pipeline.join()).await);
    soon(pipeline.drain(SECOND)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn links_from_outside_are_cancelled() {
    let outside = from_iter(0..).stage().spawn();
    let pipeline = Pipeline::new();
    let sum = fold(0, |count, _: u64| count + 1)
        .stage()
        .subscribe_to(&outside);
    let sum = sum.in_group(&pipeline).spawn();
    while sum.stats().events_in == 0 {
        tokio::task::yield_now().await;
    }
    soon(pipeline.drain(SECOND)).await.unwrap();
    let handled = sum.stats().events_in;
    assert_eq!(soon(sum.output()).await.unwrap(), handled);
    pending(outside.outcome()).await;
    assert_eq!(
        outside.stats().delivered - outside.stats().handed_back,
        handled
    );
}

#[tokio::test(start_paused = true)]
async fn temporary_subscribers_drain_as_well() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..).stage().in_group(&pipeline).spawn();
    let sum = fold(0u64, |count, _: u64| count + 1)
        .stage()
        .subscribe_to(source.subscription().on_cancel(CancelMode::Temporary));
    let sum = sum.in_group(&pipeline).spawn();
    while sum.stats().events_in == 0 {
        tokio::task::yield_now().await;
    }
    soon(pipeline.drain(SECOND)).await.unwrap();
    assert_eq!(soon(sum.output()).await.unwrap(), source.stats().events_out);
}

#[tokio::test(start_paused = true)]
async fn during_a_restart_it_waits_for_the_stage_to_come_back() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..100u64).stage().in_group(&pipeline).spawn();
    let mut makes = 0;
    let sink = supervised(move || {
        makes += 1;
        let shaky = makes == 1;
        for_each_ref(move |n: &u64| assert!(!shaky || *n != 3, "three"))
    })
    .restart(Restart::on_failure().backoff(30 * SECOND, 60 * SECOND))
    .stage()
    .subscribe_to(&source)
    .in_group(&pipeline)
    .spawn();
    while sink.stats().events_in == 0 {
        tokio::task::yield_now().await;
    }
    pending(sink.outcome()).await;
    let drain = pipeline.drain(600 * SECOND);
    tokio::time::timeout(100 * SECOND, drain)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((sink.stats().restarts, sink.stats().retried), (1, 97));
    assert_eq!(sink.stats().events_in, 197);
    soon(pipeline.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_buffer_that_nobody_will_take_ends_with_its_stage_and_is_counted() {
    let pipeline = Pipeline::new();
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().in_group(&pipeline).spawn();
    source.call(emit(0..7)).await.unwrap();
    soon(pipeline.drain(600 * SECOND)).await.unwrap();
    assert_eq!(source.stats().discarded, 7);
    assert!(cancelled(soon(pipeline.join()).await).contains("nobody is left"));
}

#[tokio::test(start_paused = true)]
async fn who_joins_a_draining_pipeline_drains_too() {
    let pipeline = Pipeline::new();
    let permits = Arc::new(Semaphore::new(0));
    let source = from_iter(0..10u64).stage().in_group(&pipeline).spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    probe
        .held_by(&permits)
        .stage()
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    calls.events().await;
    let drain = tokio::spawn({
        let pipeline = pipeline.clone();
        async move { pipeline.drain(600 * SECOND).await }
    });
    tokio::task::yield_now().await;
    let late = from_iter(0..).stage().in_group(&pipeline).spawn();
    let sink = for_each(|_: u64| ())
        .stage()
        .subscribe_to(&late)
        .in_group(&pipeline)
        .spawn();
    soon(sink.join()).await.unwrap();
    permits.add_permits(9);
    soon(drain).await.unwrap().unwrap();
}
