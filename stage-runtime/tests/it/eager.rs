//! Eager producer-consumers: they handle their input whatever their consumers
//! want.

use crate::common::{pending, soon};
use stage_runtime::SpawnError;
use stage_runtime::operators::{from_iter, inspect};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::ConsumerProbe;

/// Before there was `eager`, 0 events were handled without a consumer.
#[tokio::test(start_paused = true)]
async fn an_eager_stage_follows_its_input_without_a_consumer() {
    let pipeline = Pipeline::new();
    let numbers = from_iter(0..1_000u64).stage().in_group(&pipeline).spawn();
    let cache = inspect(|_: &u64| ()).stage().buffer_size(10).eager();
    let cache = cache.subscribe_to(&numbers).in_group(&pipeline).spawn();
    soon(numbers.join()).await.unwrap();
    pending(cache.outcome()).await;
    assert_eq!(cache.stats().events_in, 1_000);
    assert_eq!((cache.stats().buffered, cache.stats().discarded), (10, 990));
    // Who comes late gets what the buffer has kept.
    let (probe, mut below) = ConsumerProbe::<u64>::new();
    let sink = probe
        .stage()
        .subscribe_to(&cache)
        .in_group(&pipeline)
        .spawn();
    assert_eq!(below.gather(10).await, (990..1_000).collect::<Vec<_>>());
    soon(sink.join()).await.unwrap();
    assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn a_slow_consumer_of_an_eager_stage_misses_what_it_has_no_room_for() {
    let numbers = from_iter(0..100u64).stage().spawn();
    let cache = inspect(|_: &u64| ()).stage().buffer_size(5).eager();
    let cache = cache.on_overflow(Overflow::DropNewest).gate(Gate::Closed);
    let cache = cache.subscribe_to(&numbers).spawn();
    let (probe, mut below) = ConsumerProbe::<u64>::manual();
    let sink = probe.stage().subscribe_to(&cache).spawn();
    // A closed gate holds it back, so its consumer can ask before the first event.
    pending(cache.outcome()).await;
    assert_eq!(cache.stats().events_in, 0);
    sink.ask(below.producer_joined().await.subscription, 3);
    pending(cache.outcome()).await;
    cache.set_gate(Gate::Open);
    assert_eq!(below.gather(3).await, [0, 1, 2]);
    soon(numbers.join()).await.unwrap();
    assert_eq!((cache.stats().buffered, cache.stats().discarded), (5, 92));
}

#[tokio::test(start_paused = true)]
async fn an_eager_stage_needs_a_bound() {
    let stage = || inspect(|_: &u64| ()).stage().name("cache").eager();
    let error = stage().try_spawn().unwrap_err();
    assert!(
        matches!(error, SpawnError::UnboundedEager { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("buffer_size"), "{error}");
    let failure = crate::common::failure(soon(stage().spawn().join()).await);
    assert!(failure.to_string().contains("eager"), "{failure}");
    stage().buffer_size(0).try_spawn().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_eager_stage_drains_with_its_pipeline() {
    let pipeline = Pipeline::new();
    let numbers = from_iter(0..).stage().in_group(&pipeline).spawn();
    let cache = inspect(|_: &u64| ()).stage().buffer_size(0).eager();
    let cache = cache.subscribe_to(&numbers).in_group(&pipeline).spawn();
    tokio::task::yield_now().await;
    pipeline
        .drain(std::time::Duration::from_secs(5))
        .await
        .unwrap();
    let stats = cache.stats();
    assert_eq!(stats.events_in, stats.discarded);
    assert_settled(&pipeline);
}
