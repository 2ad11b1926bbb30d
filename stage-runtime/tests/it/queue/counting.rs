//! What a queue counts and shows.

use std::time::Duration;

use futures::StreamExt;
use stage_core::Bound;
use stage_runtime::prelude::*;
use stage_runtime::queue::{QueueOptions, WhenFull, queue};
use stage_test::assert_settled;

use super::is_stored;
use crate::common::log::Log;
use crate::common::soon;
use crate::operators::collect;

#[tokio::test(start_paused = true)]
async fn every_event_is_delivered_shed_or_there() {
    let (inlet, source) =
        queue(QueueOptions::new(Bound::Events(4)).when_full(WhenFull::DropOldest));
    for n in 0..6_u64 {
        let _ = inlet.push(n);
    }
    let source = source.stage().spawn();
    let mut stream = source.subscription().max_demand(1).into_stream().unwrap();
    assert_eq!(soon(stream.next()).await.unwrap().unwrap(), 2);
    let counts = inlet.counts();
    assert_eq!((counts.pushed, counts.shed), (6, 2));
    assert_eq!(
        counts.pushed,
        counts.delivered + counts.shed + counts.len as u64
    );
    assert!(counts.delivered >= 1);
}

/// A snapshot shows what waits in the queue, under the name of its stage.
#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_what_waits() {
    let pipeline = Pipeline::new();
    let (inlet, source) = queue(Bound::Events(16));
    let source = source.stage().name("source").in_group(&pipeline).spawn();
    assert!((0..5_u64).all(|n| is_stored(&inlet.push(n))));
    tokio::time::sleep(Duration::from_millis(1)).await;
    // The stage parked before the pushes, and is not woken by one that nobody asked for.
    let mut stream = source.subscription().max_demand(2).into_stream().unwrap();
    soon(stream.next()).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let snapshot = pipeline.snapshot();
    let shown = &snapshot.stages[0].stats;
    assert_eq!((&*shown.name, shown.held), ("source", 3));
    assert_eq!(inlet.counts().len, 3);
}

/// One line each time the number has doubled: a log must not be the next overload.
#[test]
fn a_queue_without_a_hook_warns_seldom() {
    let (log, _guard) = Log::listen(tracing::Level::WARN);
    let options = QueueOptions::new(Bound::Events(1)).name("prices");
    let (inlet, _source) = queue(options.when_full(WhenFull::DropNewest));
    for n in 0..1_001_u64 {
        let _ = inlet.push(n);
    }
    let lines = log.lines();
    assert_eq!(lines.len(), 10, "{lines:?}");
    assert!(
        lines[0].contains("prices") && lines[0].contains("events shed"),
        "{lines:?}"
    );
}

/// What nobody asked for counts for the stage as well.
#[tokio::test(start_paused = true)]
async fn what_is_left_counts_as_discarded_by_the_stage() {
    let pipeline = Pipeline::new();
    let (inlet, source) = queue(Bound::Events(16));
    let source = source.stage().in_group(&pipeline).spawn();
    let stats = source.stage_ref();
    assert!((0..7_u64).all(|n| is_stored(&inlet.push(n))));
    source.stop("enough");
    soon(source.outcome()).await;
    assert_eq!(stats.stats().discarded, 7);
    assert_eq!((inlet.counts().shed, inlet.counts().len), (7, 0));
    assert_settled(&pipeline);
}

/// A push wakes a source that waits, and no other.
#[tokio::test(start_paused = true)]
async fn a_push_wakes_only_a_source_that_waits() {
    let (inlet, source) = queue(Bound::Events(100));
    let source = source.stage().spawn();
    let all = collect().stage().subscribe_to(&source).spawn();
    tokio::task::yield_now().await;
    for n in 0..50_u64 {
        assert!(is_stored(&inlet.push(n)));
    }
    inlet.finish();
    assert_eq!(soon(all.output()).await.unwrap().len(), 50);
    // All 50 were taken by one call of the handler.
    assert!(source.stats().batches_out <= 2, "{:?}", source.stats());
}
