//! Why a pipeline stands still, asked of pipelines that do.

use std::future::pending as never;
use std::time::Duration;

use crate::common::soon;
use stage_dispatchers::PartitionKey;
use stage_runtime::operators::{for_each, from_iter, from_stream, map};
use stage_runtime::prelude::*;
use stage_runtime::{
    StageRef,
    explain::{Cause, Explanation},
};
use stage_test::probe::{ConsumerProbe, ProducerProbe, RelayProbe, emit};
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);

/// What `pipeline` says of itself when it has stood still for `seconds`.
async fn after(seconds: f64, pipeline: &Pipeline) -> Explanation {
    sleep(Duration::from_secs_f64(seconds)).await;
    pipeline.explain(SECOND)
}

struct Stuck;

impl Consumer for Stuck {
    type Event = u64;

    async fn handle_events(&mut self, _: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
        never().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..)
        .stage()
        .name("source")
        .in_group(&pipeline)
        .spawn();
    let relay = map(|n: u64| n).stage().name("relay");
    let relay = relay.subscribe_to(&source).in_group(&pipeline).spawn();
    Stuck
        .stage()
        .name("stuck")
        .subscribe_to(&relay)
        .in_group(&pipeline)
        .spawn();
    let explanation = after(12.1, &pipeline).await;
    assert_eq!(
        explanation.to_string(),
        "`stuck` has been inside handle_events for 12.1 s; `relay` waits for `stuck`'s demand; \
         2 stages wait behind it"
    );
    assert!(matches!(explanation.cause(), Some(Cause::Handler { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_come_back() {
    let pipeline = Pipeline::new();
    let source = from_stream(futures::stream::pending::<u64>())
        .stage()
        .name("source");
    let source = source.in_group(&pipeline).spawn();
    let relay = map(|n: u64| n).stage().name("relay");
    let relay = relay.subscribe_to(&source).in_group(&pipeline).spawn();
    for_each(|_: u64| ())
        .stage()
        .name("sink")
        .subscribe_to(&relay)
        .in_group(&pipeline)
        .spawn();
    let explanation = after(3.0, &pipeline).await;
    assert_eq!(
        explanation.to_string(),
        "`source` has been asked for 1,000 events and has had none to give for 3.0 s; \
         `relay` waits for `source`'s events; 2 stages wait behind it"
    );
}

fn by_third() -> Partition<u64> {
    Partition::by_index(3, |n: &u64| Some((*n % 3) as usize))
        .expect("there are partitions")
        .queue_bound(100)
}

fn sink<O: stage_runtime::handle::Input>(
    pipeline: &Pipeline,
    source: &StageRef<
        stage_runtime::operators::FromIter<std::ops::RangeFrom<u64>>,
        O,
        stage_runtime::handle::Emits<u64, PartitionKey<usize>>,
    >,
    part: usize,
) {
    for_each(|_: u64| ())
        .stage()
        .name(format!("sink {part}"))
        .subscribe_to(source.partition(part))
        .in_group(pipeline)
        .spawn();
}

#[tokio::test(start_paused = true)]
async fn a_partition_whose_consumer_is_slow() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..).stage().name("source").dispatcher(by_third());
    let source = source.in_group(&pipeline).spawn();
    sink(&pipeline, &source, 0);
    sink(&pipeline, &source, 1);
    Stuck
        .stage()
        .name("stuck")
        .subscribe_to(source.partition(2).max_demand(10))
        .in_group(&pipeline)
        .spawn();
    let explanation = after(12.1, &pipeline).await;
    assert_eq!(
        explanation.to_string(),
        "`stuck` has been inside handle_events for 12.1 s; partition 2 holds 100 events for it; \
         `source` waits for partition 2's demand; 3 stages wait behind it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_nobody_took() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..).stage().name("source").dispatcher(by_third());
    let source = source.in_group(&pipeline).spawn();
    sink(&pipeline, &source, 0);
    sink(&pipeline, &source, 1);
    let explanation = after(5.0, &pipeline).await;
    assert_eq!(
        explanation.to_string(),
        "partition 2 of `source` holds 100 events and has no subscriber; \
         `source` has stood still for 5.0 s; \
         `sink 0` waits for `source`'s events; 2 stages wait behind it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_subscriber_that_never_asks() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..)
        .stage()
        .name("source")
        .dispatcher(Broadcast::new());
    let source = source.in_group(&pipeline).spawn();
    for_each(|_: u64| ())
        .stage()
        .name("busy")
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    let (probe, _calls) = ConsumerProbe::<u64>::manual();
    probe
        .stage()
        .name("silent")
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    let explanation = after(5.0, &pipeline).await;
    let cause = explanation.cause().unwrap();
    assert!(
        matches!(cause, Cause::NoAsk { asked: 0, .. }),
        "{explanation}"
    );
    assert_eq!(
        explanation.to_string(),
        "`silent` asks by hand and has not asked `source` for anything; it has stood still for 5.0 s; \
         `source` waits for `silent`'s demand; 2 stages wait behind it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_manual_consumer_that_forgot_to_ask_again() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..)
        .stage()
        .name("source")
        .in_group(&pipeline)
        .spawn();
    let (probe, mut calls) = ConsumerProbe::<u64>::manual();
    let manual = probe
        .stage()
        .name("manual")
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    let id = calls.producer_joined().await.subscription;
    manual.ask(id, 3);
    calls.gather(3).await;
    let explanation = after(5.0, &pipeline).await;
    assert_eq!(
        explanation.to_string(),
        "`manual` asks by hand and has not asked `source` again after 3 events; \
         it has stood still for 5.0 s; \
         `source` waits for `manual`'s demand; 1 stage waits behind it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_closed_gate() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..).stage().name("source").gate(Gate::Closed);
    let source = source.in_group(&pipeline).spawn();
    for_each(|_: u64| ())
        .stage()
        .name("sink")
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    let explanation = after(5.0, &pipeline).await;
    assert_eq!(
        explanation.to_string(),
        "the gate of `source` is closed, with 0 events buffered and 1,000 asked for; \
         it has stood still for 5.0 s; \
         `sink` waits for `source`'s events; 1 stage waits behind it"
    );
    source.set_gate(Gate::Open);
    tokio::task::yield_now().await;
    assert!(!pipeline.explain(SECOND).is_stuck());
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_waits_to_be_restarted() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..)
        .stage()
        .name("source")
        .in_group(&pipeline)
        .spawn();
    let hour = Duration::from_secs(3600);
    supervised(|| for_each(|n: u64| assert!(n < 7, "seven")))
        .restart(Restart::on_failure().backoff(hour, hour))
        .stage()
        .name("shaky")
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    let explanation = after(5.0, &pipeline).await;
    assert!(
        matches!(explanation.cause(), Some(Cause::Restarting { .. })),
        "{explanation}"
    );
    assert_eq!(explanation.behind(), 1);
}

/// A stage may subscribe, while it runs, to one that waits for it.
#[tokio::test(start_paused = true)]
async fn a_cycle() {
    let pipeline = Pipeline::new();
    let (a, _) = RelayProbe::<u64, u64>::new(|events: &mut Batch<u64>, out| {
        out.extend(events);
        Ok(())
    });
    let a = a.stage().name("a").in_group(&pipeline).spawn();
    let b = map(|n: u64| n)
        .stage()
        .name("b")
        .subscribe_to(&a)
        .in_group(&pipeline)
        .spawn();
    soon(a.subscribe(&b)).await.unwrap();
    let explanation = after(5.0, &pipeline).await;
    assert!(
        matches!(explanation.cause(), Some(Cause::Cycle { .. })),
        "{explanation}"
    );
    assert_eq!(
        explanation.to_string(),
        "`a` waits for `b`'s events, `b` waits for `a`'s events, which closes a ring; \
         it has stood still for 5.0 s"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_wrong() {
    let pipeline = Pipeline::new();
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().name("source").in_group(&pipeline).spawn();
    let sink = for_each(|_: u64| ())
        .stage()
        .name("sink")
        .subscribe_to(&source);
    let sink = sink.in_group(&pipeline).spawn();
    above.demand().await;
    source.call(emit(0..10)).await.unwrap();
    let explanation = pipeline.explain(SECOND);
    assert!(!explanation.is_stuck());
    assert_eq!(
        explanation.to_string(),
        "nothing has stood still for longer than 1.0 s"
    );
    soon(pipeline.drain(SECOND)).await.unwrap();
    assert_eq!(
        pipeline.explain(SECOND).to_string(),
        "all 2 stages have ended"
    );
    assert_eq!(sink.stats().events_in, 10);
}

/// A handler that keeps its thread is seen by whoever runs on another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..3u64)
        .stage()
        .name("source")
        .in_group(&pipeline)
        .spawn();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let mut held = Some(held);
    let blocks = for_each(move |_: u64| {
        if let Some(held) = held.take() {
            let _ = held.recv();
        }
    });
    let blocks = blocks
        .stage()
        .name("blocks")
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    while blocks.stats().events_in == 0 {
        tokio::task::yield_now().await;
    }
    let explanation = loop {
        let explanation = pipeline.explain(Duration::from_millis(20));
        if explanation.is_stuck() {
            break explanation.to_string();
        }
        tokio::task::yield_now().await;
    };
    assert!(
        explanation.starts_with("`blocks` has been inside handle_events for "),
        "{explanation}"
    );
    drop(release);
    soon(pipeline.join()).await.unwrap();
}
