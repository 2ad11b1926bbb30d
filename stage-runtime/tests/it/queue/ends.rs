//! How a queue and its source end.

use std::time::Duration;

use stage_core::Bound;
use stage_runtime::ShedReason;
use stage_runtime::prelude::*;
use stage_runtime::queue::{QueueOptions, queue};
use stage_test::assert_settled;
use stage_test::probe::ConsumerProbe;

use super::{is_stored, said, sheds};
use crate::common::{cancelled, pending, soon};
use crate::operators::{collect, collect_from};

#[tokio::test(start_paused = true)]
async fn finish_completes_the_source_after_what_is_queued() {
    let (inlet, source) = queue(Bound::Events(16));
    let other = inlet.clone();
    assert!((0..5_u64).all(|n| is_stored(&inlet.push(n))));
    inlet.finish();
    assert_eq!(said(other.push(5)), ("gone", vec![5]));
    assert!(other.is_closed());
    let source = source.stage().spawn();
    let all = collect()
        .stage()
        .subscribe_to(source.subscription().max_demand(2))
        .spawn();
    assert_eq!(soon(all.output()).await.unwrap(), [0, 1, 2, 3, 4]);
    soon(source.join()).await.unwrap();
}

/// Without any demand: there is nothing to be asked for.
#[tokio::test(start_paused = true)]
async fn an_empty_queue_that_is_finished_completes_without_demand() {
    let (inlet, source) = queue::<u64>(Bound::Events(16));
    let source = source.stage().spawn();
    pending(source.stage_ref().outcome()).await;
    drop(inlet);
    soon(source.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_last_inlet_that_is_dropped_finishes_the_queue() {
    let (inlet, source) = queue::<u64>(Bound::Events(16));
    let others: Vec<_> = (0..3).map(|_| inlet.clone()).collect();
    let source = source.stage().spawn();
    drop(inlet);
    pending(source.stage_ref().outcome()).await;
    drop(others);
    soon(source.join()).await.unwrap();
}

/// Also without demand, and with events that nobody asked for.
#[tokio::test(start_paused = true)]
async fn detach_ends_the_source_as_cancelled_and_sheds_what_is_queued() {
    let (shed, hook) = sheds();
    let (inlet, source) = queue(QueueOptions::new(Bound::Events(16)).shed(hook));
    let source = source.stage().spawn();
    tokio::task::yield_now().await;
    assert!((0..3_u64).all(|n| is_stored(&inlet.push(n))));
    inlet.detach("the client is gone");
    assert_eq!(cancelled(soon(source.join()).await), "the client is gone");
    assert_eq!(
        *shed.lock().unwrap(),
        [(ShedReason::StageEnded, vec![0, 1, 2])]
    );
    assert_eq!(said(inlet.push(3)), ("gone", vec![3]));
    // The first reason counts, and an end is an end.
    inlet.detach("again");
    inlet.finish();
}

/// It was detached before there was a stage.
#[tokio::test(start_paused = true)]
async fn a_source_that_was_detached_before_it_was_spawned_ends_as_cancelled() {
    let (inlet, source) = queue::<u64>(Bound::Events(16));
    inlet.detach("too late");
    let source = source.stage().spawn();
    assert_eq!(cancelled(soon(source.join()).await), "too late");
}

#[test]
fn a_source_that_is_dropped_before_it_was_spawned_is_gone() {
    let (shed, hook) = sheds();
    let (inlet, source) = queue(QueueOptions::new(Bound::Events(16)).shed(hook));
    assert!(is_stored(&inlet.push(1_u64)));
    drop(source);
    assert_eq!(said(inlet.push(2)), ("gone", vec![2]));
    assert_eq!(*shed.lock().unwrap(), [(ShedReason::StageEnded, vec![1])]);
}

/// The runtime goes, and no handler is called any more.
#[test]
fn a_source_whose_runtime_is_dropped_is_gone() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (inlet, source) = queue(Bound::Events(16));
    let source = {
        let _guard = runtime.enter();
        source.stage().spawn()
    };
    assert!(is_stored(&inlet.push(1_u64)));
    drop(runtime);
    assert_eq!(said(inlet.push(2)), ("gone", vec![2]));
    assert_eq!((inlet.counts().len, inlet.counts().shed), (0, 1));
    drop(source);
}

#[tokio::test(start_paused = true)]
async fn closed_is_ready_when_the_source_has_ended() {
    let (inlet, source) = queue::<u64>(Bound::Events(16));
    pending(inlet.closed()).await;
    let source = source.stage().spawn();
    let waiting = tokio::spawn({
        let inlet = inlet.clone();
        async move { inlet.closed().await }
    });
    pending(inlet.closed()).await;
    source.stop("enough");
    soon(waiting).await.unwrap();
    soon(inlet.closed()).await;
}

/// Reference: akka/akka-core issue 25349, "Source.queue has cases where it can not be
/// completed"; elixir-broadway/broadway_rabbitmq pull request 11, "Drain messages and
/// close connection on shutdown"
#[tokio::test(start_paused = true)]
async fn a_drain_emits_what_is_queued_and_takes_nothing_more() {
    let pipeline = Pipeline::new();
    let (inlet, source) = queue(Bound::Events(16));
    let source = source.stage().in_group(&pipeline).spawn();
    assert!((0..10_u64).all(|n| is_stored(&inlet.push(n))));
    let all = collect_from(source.subscription().max_demand(2), &pipeline);
    soon(pipeline.drain(Duration::from_secs(5))).await.unwrap();
    assert_eq!(soon(all.output()).await.unwrap(), Vec::from_iter(0..10));
    assert_eq!(said(inlet.push(10)), ("gone", vec![10]));
    assert_settled(&pipeline);
}

/// A drain that runs out of time names the source and what waits in it.
#[tokio::test(start_paused = true)]
async fn a_drain_that_is_cut_short_reports_what_is_queued() {
    let pipeline = Pipeline::new();
    let (inlet, source) = queue(Bound::Events(16));
    let source = source.stage().name("source").in_group(&pipeline).spawn();
    assert!((0..4_u64).all(|n| is_stored(&inlet.push(n))));
    let asks_nothing = ConsumerProbe::<u64>::manual().0;
    asks_nothing
        .stage()
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    let error = soon(pipeline.drain(Duration::from_millis(50)))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("source"), "{error}");
    assert_eq!(source.stats().discarded, 4);
    assert_eq!(inlet.counts().shed, 4);
    assert_settled(&pipeline);
}
