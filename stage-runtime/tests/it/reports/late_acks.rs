//! Reference: spring-projects/spring-amqp pull request 3089, "allow sending ACKs within the
//! ShutdownTimeout period"; redpanda-data/connect issues 173 and 174; vectordotdev/vector
//! pull request 15870; cloudamqp/lavinmq issue 2199; akka/alpakka-kafka issues 135 and 833;
//! smallrye/smallrye-reactive-messaging pull request 816; swift-server/swift-kafka-client
//! issue 119
//!
//! Messages are acknowledged by tasks of their own, some of them late. A shutdown waits for
//! them, no longer than it has to and no longer than it may; an acknowledgement that comes
//! after the end harms nobody.

use std::time::Duration;

use super::broker::{Broker, Delivery, Leases, Works};
use super::support::*;
use stage_runtime::prelude::*;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(1000);

/// A source of leases and its consumer, with ten messages in flight.
fn working(pipeline: &Pipeline, source: Leases) -> mpsc::UnboundedReceiver<Delivery> {
    let source = source.stage().name("leases").in_group(pipeline).spawn();
    let (hand, handed) = mpsc::unbounded_channel();
    Works(hand)
        .stage()
        .name("works")
        .subscribe_to(source.subscription().max_demand(10))
        .in_group(pipeline)
        .spawn();
    handed
}

/// Fifty milliseconds for each message, all at once.
fn settle_each_in(delay: Duration, mut handed: mpsc::UnboundedReceiver<Delivery>) {
    tokio::spawn(async move {
        while let Some(delivery) = handed.recv().await {
            tokio::spawn(async move {
                sleep(delay).await;
                delivery.ack();
            });
        }
    });
}

#[tokio::test(start_paused = true)]
async fn what_is_acknowledged_within_the_deadline_is_committed_before_the_end() {
    let broker = Broker::new(0..40, LONG);
    let pipeline = Pipeline::new();
    settle_each_in(50 * MS, working(&pipeline, Leases::new(&broker)));
    sleep(30 * MS).await;
    assert!(broker.acked().is_empty() && broker.leased() > 0);
    within(6_000, pipeline.drain(5_000 * MS))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(broker.leased(), 0);
    assert!(!broker.acked().is_empty());
    assert_eq!((broker.released(), broker.refused()), (vec![], vec![]));
    assert_eq!(broker.all(), (0..40).collect::<Vec<_>>());
    stage_test::assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn a_drain_with_nothing_left_to_settle_returns_at_once() {
    let broker = Broker::new(0..5, LONG);
    let pipeline = Pipeline::new();
    settle_each_in(MS, working(&pipeline, Leases::new(&broker)));
    sleep(50 * MS).await;
    assert_eq!(broker.acked().len(), 5);
    let start = Instant::now();
    pipeline.drain(30_000 * MS).await.unwrap();
    assert!(start.elapsed() <= MS, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_nobody_acknowledges_for_ends_at_its_deadline() {
    let broker = Broker::new(0..5, LONG);
    let pipeline = Pipeline::new();
    let mut handed = working(&pipeline, Leases::new(&broker));
    sleep(50 * MS).await;
    let start = Instant::now();
    let error = pipeline.drain(500 * MS).await.unwrap_err();
    assert_eq!(start.elapsed(), 500 * MS);
    let left: Vec<_> = error.left.iter().map(|l| (&*l.stage, l.held)).collect();
    // The consumer has handled everything, and has completed.
    assert_eq!(left, [("leases", 5)], "{error}");
    // The source was told, and has given its leases up.
    pipeline.shutdown().await;
    assert_eq!((broker.leased(), broker.released().len()), (0, 5));
    // These come too late. They find no stage, and change nothing.
    while let Some(delivery) = handed.recv().await {
        delivery.ack();
    }
    sleep(MS).await;
    assert_eq!((broker.acked(), broker.refused()), (vec![], vec![]));
    assert_eq!(broker.all(), [0, 1, 2, 3, 4]);
}

/// Some are settled before the stop, some while the source stops, some after it.
#[tokio::test(start_paused = true)]
async fn acknowledgements_that_cross_a_stop_settle_each_message_once() {
    for stops_after in 0..12 {
        let broker = Broker::new(0..20, LONG);
        let pipeline = Pipeline::new();
        let mut handed = working(&pipeline, Leases::new(&broker));
        tokio::spawn(async move {
            while let Some(delivery) = handed.recv().await {
                sleep(MS).await;
                delivery.ack();
            }
        });
        sleep((5 + stops_after) * MS).await;
        within(5_000, pipeline.shutdown()).await.unwrap();
        sleep(100 * MS).await;
        assert_eq!(broker.leased(), 0);
        assert_eq!(broker.refused(), Vec::<u64>::new(), "acknowledged twice");
        assert_eq!(broker.all(), (0..20).collect::<Vec<_>>());
        stage_test::assert_settled(&pipeline);
    }
}
