//! Reference: ConduitIO/conduit issue 689, "Resilient pipeline stop behavior": a node is
//! stuck, nothing can be stopped gracefully, and nothing says which node it is
//!
//! The explanation of a standstill, the report of a drain and the sums of a snapshot, where
//! what holds the rest back is not an ordinary stage of the pipeline.

use std::time::Duration;

use futures::StreamExt;
use stage_runtime::operators::from_channel;
use stage_runtime::prelude::*;
use stage_runtime::{DrainError, explain::Cause, snapshot::Leftover};

use super::support::*;

const PATIENCE: Duration = Duration::from_millis(20);

/// What the drain of a pipeline that stands still leaves at this stage.
async fn left_at(pipeline: &Pipeline, stage: &str) -> (Leftover, DrainError) {
    let error = pipeline.drain(Duration::from_millis(50)).await.unwrap_err();
    let left = error.left.iter().find(|left| &*left.stage == stage);
    (left.unwrap_or_else(|| panic!("{error}")).clone(), error)
}

#[test]
fn children_that_do_not_end_are_named() {
    both(10, || async {
        for events in [3, 100] {
            let pipeline = Pipeline::new();
            let numbers = count(events)
                .stage()
                .name("numbers")
                .in_group(&pipeline)
                .spawn();
            per_event(|_: u64| std::future::pending())
                .shutdown(stage_runtime::per_event::Shutdown::Immediately)
                .stage()
                .name("jobs")
                .subscribe_to(numbers.subscription().max_demand(3))
                .in_group(&pipeline)
                .spawn();
            ms(60).await;
            let explanation = pipeline.explain(PATIENCE);
            match explanation.cause() {
                Some(Cause::Holding { stage, held: 3, .. }) => assert_eq!(&*stage.name, "jobs"),
                other => panic!("{other:?}"),
            }
            let (left, error) = left_at(&pipeline, "jobs").await;
            assert_eq!((left.held, left.unhandled), (3, 0));
            assert!(error.to_string().contains("3 held"), "{error}");
        }
    });
}

/// A consumer that is no stage of the pipeline, and no stream.
#[test]
fn a_consumer_outside_of_the_pipeline_is_named_for_what_it_is() {
    both(10, || async {
        let pipeline = Pipeline::new();
        let numbers = count(100)
            .stage()
            .name("numbers")
            .in_group(&pipeline)
            .spawn();
        let outside = slow(&seen(), 1_000_000)
            .stage()
            .name("outside")
            .subscribe_to(numbers.subscription().max_demand(5))
            .spawn();
        ms(60).await;
        let explanation = pipeline.explain(PATIENCE);
        match explanation.cause() {
            Some(Cause::OutsideConsumer {
                consumer,
                in_flight: 5,
                ..
            }) => assert_eq!(&*consumer.name, "outside"),
            other => panic!("{other:?}"),
        }
        let said = explanation.to_string();
        assert!(said.contains("`outside` is not in the snapshot"), "{said}");
        let (left, error) = left_at(&pipeline, "numbers").await;
        assert_eq!((left.outside, left.buffered), (5, 0));
        assert!(error.to_string().contains("5 sent out"), "{error}");
        outside.abort();
    });
}

#[test]
fn a_stream_that_nobody_reads_is_named_for_what_it_is() {
    both(10, || async {
        let pipeline = Pipeline::new();
        let numbers = count(100)
            .stage()
            .name("numbers")
            .in_group(&pipeline)
            .spawn();
        let stream = numbers.subscription().max_demand(5).into_stream().unwrap();
        ms(60).await;
        let explanation = pipeline.explain(PATIENCE);
        assert!(matches!(explanation.cause(), Some(Cause::Unread { .. })));
        let (left, _) = left_at(&pipeline, "numbers").await;
        assert_eq!(left.outside, 5);
        drop(stream);
    });
}

/// One that has cancelled still has events, and its partition.
#[test]
fn a_consumer_that_leaves_slowly_is_named() {
    both(10, || async {
        let pipeline = Pipeline::new();
        let parts = Partition::by_index(1, |_: &u64| Some(0)).unwrap();
        let numbers = count(100)
            .stage()
            .name("numbers")
            .dispatcher(parts.queue_bound(3))
            .in_group(&pipeline)
            .spawn();
        let leaves = slow(&seen(), 1_000_000).stage().name("leaves");
        let leaves = leaves.in_group(&pipeline).spawn();
        let five = numbers
            .partition(0)
            .max_demand(5)
            .on_cancel(CancelMode::Temporary);
        let id = leaves.subscribe(five).await.unwrap();
        ms(5).await;
        leaves.cancel(id, "moving on");
        ms(60).await;
        match pipeline.explain(PATIENCE).cause() {
            Some(Cause::Handler { stage, .. }) => assert_eq!(&*stage.name, "leaves"),
            other => panic!("{other:?}"),
        }
        let (left, _) = left_at(&pipeline, "leaves").await;
        assert_eq!(left.unhandled, 5);
    });
}

/// What a channel has taken in waits in its source.
#[test]
fn what_a_source_has_taken_in_is_in_the_report() {
    both(10, || async {
        let pipeline = Pipeline::new();
        let (sender, receiver) = tokio::sync::mpsc::channel(8);
        let source = from_channel(receiver)
            .stage()
            .name("source")
            .in_group(&pipeline)
            .spawn();
        for n in 0..4_u64 {
            sender.send(n).await.unwrap();
        }
        let asks_nothing = stage_test::probe::ConsumerProbe::<u64>::manual().0;
        asks_nothing
            .stage()
            .subscribe_to(&source)
            .in_group(&pipeline)
            .spawn();
        ms(5).await;
        let (left, _) = left_at(&pipeline, "source").await;
        assert_eq!(left.held, 4);
        assert_eq!(source.stats().discarded, 4);
        stage_test::assert_settled(&pipeline);
    });
}

/// More streams come and go than a stage shows links.
#[test]
fn the_sums_of_a_snapshot_have_the_links_that_are_no_longer_shown() {
    both(10, || async {
        let pipeline = Pipeline::new();
        let numbers = count(u64::MAX)
            .stage()
            .name("numbers")
            .in_group(&pipeline)
            .spawn();
        for _ in 0..100 {
            let two = numbers.subscription().max_demand(2);
            let mut stream = two.into_stream().unwrap();
            stream.next().await.unwrap().unwrap();
        }
        ms(10).await;
        let snapshot = pipeline.snapshot();
        assert!(snapshot.links.len() < 100);
        let stage = &snapshot.stages[0];
        let shown = snapshot.links.iter().map(|link| link.totals.handled);
        assert_eq!(stage.past_sent.handled + shown.sum::<u64>(), 100);
        let shown = snapshot.links.iter().map(|link| link.totals.delivered);
        let delivered = stage.past_sent.delivered + shown.sum::<u64>();
        assert_eq!(delivered, stage.stats.delivered);
        stage_test::assert_settled(&pipeline);
        pipeline.shutdown().await;
    });
}
