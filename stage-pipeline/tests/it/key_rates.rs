//! Rate limits of keys.

use std::time::Duration;

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::policy::{KeyedRateLimit, Rate};
use stage_pipeline::{AckedPipeline, Message, Step, acked, handler_fn};
use tokio::time::{Instant, sleep, timeout};

/// A pipeline that lets messages of each key pass at the rate of `limit`.
fn pipeline(queue: &MemoryQueue<u64>, limit: &KeyedRateLimit) -> AckedPipeline<u64> {
    let source = queue.clone();
    acked("keys")
        .source(move || source.source())
        .rate_limit_per_key(limit)
        .step(Step::new("pass").concurrency(2), || {
            handler_fn(|_: &mut Message<u64>| Ok(()))
        })
        .start()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_key_over_its_limit_does_not_hold_up_the_others() {
    let (queue, limit) = (
        MemoryQueue::new(),
        KeyedRateLimit::new(Rate::per_second(10)),
    );
    for n in 0..100 {
        queue.enqueue_with_key("hot", n);
    }
    for n in 0..5 {
        queue.enqueue_with_key("cold", n);
    }
    queue.enqueue(1);
    let started = Instant::now();
    let pipeline = pipeline(&queue, &limit);
    sleep(Duration::from_millis(10)).await;
    assert_eq!(pipeline.ledger().acked, 10 + 5 + 1);
    let explained = pipeline.snapshot();
    let source = explained
        .stages
        .iter()
        .find(|stage| stage.stats.name.contains("source"));
    assert_eq!(source.unwrap().stats.held, 90);

    queue.close();
    timeout(Duration::from_secs(60), pipeline.join())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(queue.counts().acked, 106);
    let took = started.elapsed();
    assert!(
        took >= Duration::from_secs(9) && took < Duration::from_secs(10),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_drain_releases_what_waits_for_its_limit() {
    let (queue, limit) = (MemoryQueue::new(), KeyedRateLimit::new(Rate::per_second(1)));
    for n in 0..20 {
        queue.enqueue_with_key("hot", n);
    }
    let pipeline = pipeline(&queue, &limit);
    sleep(Duration::from_millis(10)).await;
    let origins = pipeline.drain(Duration::from_secs(5)).await.unwrap();
    let ledger = origins[0].ledger;
    assert_eq!(
        (ledger.acked, ledger.released, ledger.in_flight),
        (1, 19, 0),
        "{ledger}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_raised_lets_the_waiting_go() {
    let (queue, limit) = (MemoryQueue::new(), KeyedRateLimit::new(Rate::per_second(1)));
    for n in 0..20 {
        queue.enqueue_with_key("hot", n);
        queue.enqueue_with_key("other", n);
    }
    let pipeline = pipeline(&queue, &limit);
    sleep(Duration::from_millis(10)).await;
    limit.set_for(KeyedRateLimit::hash("hot"), Some(Rate::per_second(1_000)));
    sleep(Duration::from_millis(100)).await;
    assert_eq!(pipeline.ledger().acked, 20 + 1);
    limit.set(Rate::closed());
    sleep(Duration::from_secs(60)).await;
    assert_eq!(pipeline.ledger().acked, 20 + 1);
    pipeline.shutdown().await;
    assert_eq!(queue.counts().leased, 0);
}

#[tokio::test(start_paused = true)]
async fn more_waiting_messages_than_there_is_room_for_stay_at_the_origin() {
    let (queue, limit) = (
        MemoryQueue::new(),
        KeyedRateLimit::new(Rate::per_second(100)),
    );
    for n in 0..3_000 {
        queue.enqueue_with_key("hot", n);
    }
    queue.close();
    let pipeline = pipeline(&queue, &limit);
    sleep(Duration::from_secs(5)).await;
    assert!(queue.counts().leased <= 1_100, "{:?}", queue.counts());
    timeout(Duration::from_secs(60), pipeline.join())
        .await
        .unwrap()
        .unwrap();
    let ledger = pipeline.ledger();
    assert_eq!((ledger.acked, ledger.released), (3_000, 0), "{ledger}");
}
