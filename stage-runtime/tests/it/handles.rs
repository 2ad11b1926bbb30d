//! Handles and references (E1, E11 to E13).

use std::sync::Arc;

use crate::common::{cancelled, pending, soon, word};
use stage_runtime::operators::{fold, from_iter, map};
use stage_runtime::prelude::*;
use stage_test::probe::{Call, ConsumerProbe, ProducerProbe, act};

#[tokio::test(start_paused = true)]
async fn dropping_every_handle_ends_nothing() {
    let sum = {
        let source = from_iter(0..10_000u64).stage().spawn();
        let same = map(|n: u64| n).stage().subscribe_to(&source).spawn();
        fold(0, |sum, n: u64| sum + n)
            .stage()
            .subscribe_to(&same)
            .spawn()
    };
    assert_eq!(soon(sum.output()).await.unwrap(), 49_995_000);

    let (probe, mut calls) = ConsumerProbe::new();
    let source = from_iter(0..10u64).stage().spawn();
    drop(probe.stage().subscribe_to(&source).spawn());
    assert_eq!(calls.gather(10).await.len(), 10);
    assert_eq!(word(&calls.terminated().await), "completed");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_join_detaches() {
    let (probe, mut calls) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let elsewhere = source.stage_ref();
    pending(source.join()).await;
    soon(elsewhere.call(act(|_| Ok(())))).await.unwrap();
    calls.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_outcome_can_be_had_as_often_as_one_likes() {
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let (one, two) = (source.stage_ref(), source.stage_ref());
    assert!(!one.is_ended());
    let waiting = tokio::spawn(async move { two.outcome().await.to_string() });
    pending(one.outcome()).await;
    source.stop("first");
    assert_eq!(soon(waiting).await.unwrap(), "cancelled: first");
    assert_eq!(soon(one.outcome()).await.to_string(), "cancelled: first");
    assert_eq!(soon(one.outcome()).await.to_string(), "cancelled: first");
    assert!(one.is_ended());
    assert_eq!(cancelled(soon(source.join()).await), "first");
    assert_eq!(soon(one.outcome()).await.to_string(), "cancelled: first");
}

#[tokio::test(start_paused = true)]
async fn the_first_reason_to_stop_counts() {
    let (probe, mut calls) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    source.stop("first");
    source.stop("second");
    assert_eq!(soon(source.outcome()).await.to_string(), "cancelled: first");
    source.stop("third");
    assert_eq!(soon(source.outcome()).await.to_string(), "cancelled: first");
    calls.terminated().await;
    calls.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn stopping_a_completed_stage_changes_nothing() {
    let source = from_iter(0..0u64).stage().spawn();
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&source)
        .spawn();
    let (source_ref, sum_ref) = (source.stage_ref(), sum.stage_ref());
    soon(source.join()).await.unwrap();
    source_ref.stop("late");
    assert!(soon(source_ref.outcome()).await.is_completed());
    assert_eq!(soon(sum.output()).await.unwrap(), 0);
    sum_ref.stop("late");
    assert!(soon(sum_ref.outcome()).await.is_completed());
}

#[tokio::test(start_paused = true)]
async fn a_stage_may_be_stopped_before_it_has_run() {
    let (probe, mut above) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let (probe, mut calls) = ConsumerProbe::<u64>::new();
    let consumer = probe.stage().subscribe_to(&source).spawn();
    consumer.stop("at once");
    assert_eq!(cancelled(soon(consumer.join()).await), "at once");
    assert_eq!(word(&above.consumer_left().await.1), "cancelled");
    let calls = calls.drain().await;
    assert!(
        !calls.iter().any(|call| matches!(call, Call::Events(_))),
        "{calls:?}"
    );
    assert!(
        matches!(calls.last(), Some(Call::Terminated(_))),
        "{calls:?}"
    );
    pending(source.outcome()).await;
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_for_the_handler_that_runs() {
    let source = from_iter(0..4u64).stage().spawn();
    let permits = Arc::new(tokio::sync::Semaphore::new(0));
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe
        .held_by(&permits)
        .stage()
        .subscribe_to(source.subscription().max_demand(4).min_demand(2))
        .spawn();
    assert_eq!(calls.events().await, [0, 1]);
    consumer.stop("enough");
    pending(consumer.outcome()).await;
    permits.add_permits(10);
    assert_eq!(
        soon(consumer.outcome()).await.to_string(),
        "cancelled: enough"
    );
    assert_eq!(consumer.stats().events_in, 2);
    pending(source.outcome()).await;
    assert_eq!(source.stats().buffered, 2);
}

#[tokio::test(start_paused = true)]
async fn statistics_outlive_the_stage() {
    let source = from_iter(0..1_234u64).stage().name("source").spawn();
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .name("sum")
        .subscribe_to(&source)
        .spawn();
    let (source_ref, sum_ref) = (source.stage_ref(), sum.stage_ref());
    soon(source.join()).await.unwrap();
    soon(sum.join()).await.unwrap();
    assert_eq!(
        (source_ref.stats().events_out, source_ref.stats().delivered),
        (1_234, 1_234)
    );
    assert_eq!(sum_ref.stats().events_in, 1_234);
    assert_eq!(&*sum_ref.stats().name, "sum");
}

/// GS205
#[tokio::test(start_paused = true)]
async fn a_stage_has_a_name_and_a_number() {
    let one = from_iter(0..1u64).stage().spawn();
    let two = from_iter(0..1u64).stage().name("two").spawn();
    assert_ne!(one.id(), two.id());
    assert_eq!(one.name(), format!("FromIter#{}", one.id().get()));
    assert_eq!((two.name(), two.stage_ref().id()), ("two", two.id()));
    assert!(format!("{two:?} {:?}", two.stage_ref()).contains("two"));
}

#[tokio::test(start_paused = true)]
async fn the_stage_itself_comes_back_when_it_completed() {
    let source = from_iter(0..10u64).stage().spawn();
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&source)
        .spawn();
    let folded = soon(sum.join_stage()).await.unwrap();
    assert!(format!("{folded:?}").contains("45"));
    soon(source.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_ten_thousand_subscriptions() {
    let alive = Arc::new(());
    let (probe, _) = ProducerProbe::counting();
    let source = probe.stage().dispatcher(Broadcast::new()).spawn();
    let (probe, calls) = ConsumerProbe::<u64>::manual();
    drop(calls);
    let consumer = probe.stage().spawn();
    for _ in 0..10_000 {
        let held = Arc::clone(&alive);
        let selects = source
            .selector(move |_| Arc::strong_count(&held) > 0)
            .on_cancel(CancelMode::Temporary);
        let id = soon(consumer.subscribe(selects)).await.unwrap();
        consumer.ask(id, 1);
        consumer.cancel(id, "next");
    }
    pending(consumer.outcome()).await;
    assert_eq!(Arc::strong_count(&alive), 1);
    // Every demand was met: the events went out, and nobody holds one.
    assert_eq!(
        source.stats().buffered + source.stats().delivered,
        source.stats().events_out
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_pipeline_that_ended() {
    for stops in [false, true] {
        let alive = Arc::new(());
        let events: Vec<_> = (0..5_000).map(|_| Arc::clone(&alive)).collect();
        let source = from_iter(events).stage().spawn();
        let same = map(|event: Arc<()>| event)
            .stage()
            .subscribe_to(&source)
            .spawn();
        let (probe, mut calls) = ConsumerProbe::new();
        let consumer = probe.stage().subscribe_to(&same).spawn();
        let ends = (source.stage_ref(), same.stage_ref(), consumer.stage_ref());
        if stops {
            calls.events().await;
            consumer.stop("enough");
            same.stop("enough");
            source.stop("enough");
        }
        soon(futures::future::join3(
            ends.0.outcome(),
            ends.1.outcome(),
            ends.2.outcome(),
        ))
        .await;
        drop((source, same, consumer, calls));
        assert_eq!(Arc::strong_count(&alive), 1, "{stops}");
    }
}
