//! How pipelines come to their proper end (rules E1 to E4, E6, E11).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::common::{pending, soon};
use stage_core::SubscribeError;
use stage_runtime::operators::{fold, for_each, from_iter, map};
use stage_runtime::prelude::*;
use stage_test::probe::{Call, ConsumerProbe, ProducerProbe, RelayProbe, act, emit};

#[tokio::test(start_paused = true)]
async fn every_stage_completes_after_the_last_event() {
    let source = from_iter(0..2_500u64).stage().spawn();
    let doubled = map(|n: u64| n * 2).stage().subscribe_to(&source).spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe.stage().subscribe_to(&doubled).spawn();

    assert_eq!(
        calls.gather(2_500).await,
        (0..2_500).map(|n| n * 2).collect::<Vec<_>>()
    );
    let (peer, outcome) = calls.producer_left().await;
    assert!(outcome.is_completed());
    assert_eq!(&*peer.stage, doubled.name());
    assert!(calls.terminated().await.is_completed());
    soon(source.join()).await.unwrap();
    soon(doubled.join()).await.unwrap();
    soon(consumer.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_last_events_are_handled_before_the_end_is_told() {
    let source = from_iter(0..3u64).stage().spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe
        .stage()
        .subscribe_to(source.subscription().max_demand(2).min_demand(1))
        .spawn();
    soon(consumer.join()).await.unwrap();
    let order: Vec<String> = calls
        .drain()
        .await
        .into_iter()
        .map(|call| match call {
            Call::ProducerJoined(_) => "joined".into(),
            Call::Events(events) => format!("{events:?}"),
            Call::ProducerLeft(_, outcome) => format!("left {outcome}"),
            Call::Terminated(outcome) => format!("end {outcome}"),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        order,
        [
            "joined",
            "[0]",
            "[1]",
            "[2]",
            "left completed",
            "end completed"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_merge_waits_for_all_its_sources() {
    let short = from_iter([1u64]).stage().spawn();
    let (long, _) = ProducerProbe::silent();
    let long = long.stage().spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let merged = probe
        .stage()
        .subscribe_to(&short)
        .subscribe_to(&long)
        .spawn();

    soon(short.join()).await.unwrap();
    assert_eq!(calls.events().await, [1]);
    assert!(calls.producer_left().await.1.is_completed());
    pending(merged.outcome()).await;

    soon(long.call(emit([2]))).await.unwrap();
    soon(long.call(act(|out| {
        out.push(3);
        out.complete();
        Ok(())
    })))
    .await
    .unwrap();
    assert_eq!(calls.gather(2).await, [2, 3]);
    soon(merged.join()).await.unwrap();
    soon(long.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_temporary_subscription_keeps_its_consumer_from_completing() {
    let (short, _) = ProducerProbe::<u64>::silent();
    let (other, _) = ProducerProbe::silent();
    let (short, other) = (short.stage().spawn(), other.stage().spawn());
    let (probe, _calls) = ConsumerProbe::new();
    let consumer = probe
        .stage()
        .subscribe_to(&short)
        .subscribe_to(other.subscription().on_cancel(CancelMode::Temporary))
        .spawn();
    short
        .call(act(|out| {
            out.complete();
            Ok(())
        }))
        .await
        .unwrap();
    soon(short.join()).await.unwrap();
    pending(consumer.outcome()).await;
    other.stop("enough");
    soon(consumer.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_late_consumer_of_a_completed_source_completes() {
    let source = from_iter(0..3u64).stage().spawn();
    let source_ref = source.stage_ref();
    let first = for_each(|_: u64| {}).stage().subscribe_to(&source).spawn();
    soon(first.join()).await.unwrap();
    soon(source.join()).await.unwrap();

    let (probe, mut calls) = ConsumerProbe::new();
    let late = probe.stage().subscribe_to(&source_ref).spawn();
    soon(late.join()).await.unwrap();
    assert!(calls.producer_left().await.1.is_completed());
}

#[tokio::test(start_paused = true)]
async fn who_asks_is_told_that_the_source_has_completed() {
    let source = from_iter(0..3u64).stage().name("src").spawn();
    let source_ref = source.stage_ref();
    for_each(|_: u64| {}).stage().subscribe_to(&source).spawn();
    soon(source.join()).await.unwrap();

    let (probe, mut calls) = ConsumerProbe::new();
    let late = probe.stage().spawn();
    let refused = soon(late.subscribe(&source_ref)).await.unwrap_err();
    assert!(
        matches!(refused, SubscribeError::ProducerCompleted { ref producer } if &**producer == "src")
    );
    // A refusal does not end the consumer.
    pending(late.outcome()).await;
    calls.producer_joined().await;
    calls.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn completion_and_subscription_do_not_race() {
    for round in 0..500u64 {
        let source = from_iter(0..round % 5).stage().spawn();
        let count = || fold(0, |count, _: u64| count + 1).stage();
        let first = count().subscribe_to(&source).spawn();
        let second = count().subscribe_to(&source).spawn();
        let third = count().spawn();
        let asked = soon(third.subscribe(&source)).await;
        let mut total = soon(first.output()).await.unwrap() + soon(second.output()).await.unwrap();
        match asked {
            Ok(_) => total += soon(third.output()).await.unwrap(),
            Err(SubscribeError::ProducerCompleted { .. }) => {}
            Err(other) => panic!("round {round}: {other}"),
        }
        assert_eq!(total, round % 5);
        soon(source.join()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_completes_with_a_full_buffer_waits_for_a_consumer() {
    let (probe, _) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    source
        .call(act(|out| {
            out.extend(0..5u64);
            out.complete();
            Ok(())
        }))
        .await
        .unwrap();
    pending(source.outcome()).await;
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&source)
        .spawn();
    assert_eq!(soon(sum.output()).await.unwrap(), 10);
    soon(source.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_source_that_completed_is_not_asked_again() {
    let (probe, mut calls) = ProducerProbe::new(|_, out| {
        out.push(7u64);
        out.complete();
        out.again();
        Ok(())
    });
    let source = probe.stage().spawn();
    let (probe, mut events) = ConsumerProbe::new();
    let consumer = probe.stage().subscribe_to(&source).spawn();
    soon(consumer.join()).await.unwrap();
    soon(source.join()).await.unwrap();
    assert_eq!(events.events().await, [7]);
    calls.demand().await;
    let rest = calls.drain().await;
    assert!(
        !rest.iter().any(|call| matches!(call, Call::Demand(_))),
        "{rest:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_iterator_completes_its_pipeline() {
    let source = from_iter(std::iter::empty::<u64>()).stage().spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe.stage().subscribe_to(&source).spawn();
    soon(consumer.join()).await.unwrap();
    let calls = calls.drain().await;
    assert!(
        !calls.iter().any(|call| matches!(call, Call::Events(_))),
        "{calls:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_source_as_long_as_the_demand_completes() {
    for (events, max) in [(10, 10), (20, 10), (1, 1), (5, 10)] {
        let source = from_iter(0..events).stage().spawn();
        let count = fold(0, |count, _: u64| count + 1)
            .stage()
            .subscribe_to(source.subscription().max_demand(max))
            .spawn();
        assert_eq!(soon(count.output()).await.unwrap(), events);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_relay_emits_at_the_end_arrives_last() {
    let source = from_iter(1..=4u64).stage().spawn();
    let total = Arc::new(AtomicU64::new(0));
    let at_the_end = Arc::clone(&total);
    let (relay, mut calls) = RelayProbe::new(move |events: &mut Batch<u64>, out| {
        total.fetch_add(events.iter().sum(), Relaxed);
        out.extend(events);
        Ok(())
    });
    let relay = relay.at_the_end(move |out| {
        out.push(at_the_end.load(Relaxed));
        Ok(())
    });
    let relay = relay.stage().subscribe_to(&source).spawn();
    let (probe, mut events) = ConsumerProbe::new();
    let consumer = probe.stage().subscribe_to(&relay).spawn();
    soon(consumer.join()).await.unwrap();
    soon(relay.join()).await.unwrap();
    assert_eq!(events.gather(5).await, [1, 2, 3, 4, 10]);
    let completing = calls.drain().await;
    let times = completing
        .iter()
        .filter(|call| matches!(call, Call::Completing))
        .count();
    assert_eq!(times, 1);
}
