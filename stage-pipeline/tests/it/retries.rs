//! Retries that a handler chooses.

use std::time::Duration;

use stage_pipeline::memory::{MemoryOptions, MemoryQueue};
use stage_pipeline::policy::Retry;
use stage_pipeline::{
    Batcher, Failed, Message, MessageBatch, Step, acked, batch_handler_fn, handler_fn,
};
use tokio::time::{Instant, timeout};

#[tokio::test(start_paused = true)]
async fn a_delay_of_the_handlers_own_does_not_exceed_the_bound_on_deliveries() {
    let queue = MemoryQueue::new();
    queue.enqueue(1_u64);
    queue.close();
    let (source, started) = (queue.clone(), Instant::now());
    let pipeline = acked("numbers")
        .source(move || source.source())
        .retry(Retry::default().max_deliveries(3))
        .step("wait", || {
            handler_fn(|_: &mut Message<u64>| {
                Err(Failed::retry_after(
                    Duration::from_secs(10),
                    "not known yet",
                ))
            })
        })
        .start()
        .unwrap();
    timeout(Duration::from_secs(60), pipeline.join())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(started.elapsed().as_secs(), 20);
    let dead = queue.dead_letters();
    assert_eq!(
        (dead[0].deliveries, dead[0].reason.as_deref()),
        (3, Some("not known yet"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_release_does_not_count_as_a_delivery() {
    let queue = MemoryQueue::new();
    queue.enqueue(1_u64);
    queue.close();
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .retry(Retry::default().max_deliveries(1))
        .step(Step::new("wait").concurrency(1), move || {
            let mut tries_left = 20;
            handler_fn(move |message: &mut Message<u64>| {
                assert_eq!(message.metadata().deliveries(), 1);
                tries_left -= 1;
                if tries_left == 0 {
                    Ok(())
                } else {
                    Err(Failed::release("not here"))
                }
            })
        })
        .start()
        .unwrap();
    timeout(Duration::from_secs(60), pipeline.join())
        .await
        .unwrap()
        .unwrap();
    let ledger = pipeline.ledger();
    assert_eq!((ledger.released, ledger.acked), (19, 1), "{ledger}");
}

/// A delay without end is one that nobody lives to see, and no overflow.
#[tokio::test(start_paused = true)]
async fn delays_and_timeouts_without_end_are_long() {
    let queue = MemoryQueue::with_options(MemoryOptions::new().visibility(Duration::MAX));
    queue.enqueue_all([1_u64, 2]);
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .step(Step::new("wait").concurrency(1), || {
            handler_fn(|message: &mut Message<u64>| match message.data {
                1 => Err(Failed::retry_after(Duration::MAX, "never")),
                _ => Ok(()),
            })
        })
        .batcher(Batcher::new("all").timeout(Duration::MAX), || {
            batch_handler_fn(|_: &mut MessageBatch<u64>| Ok(()))
        })
        .start()
        .unwrap();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let ledger = pipeline.ledger();
    assert_eq!((ledger.retried, ledger.in_flight), (1, 1), "{ledger}");
    assert_eq!(queue.counts().delayed, 1);
    pipeline.drain(Duration::from_secs(1)).await.unwrap();
    assert_eq!(queue.counts().acked, 1);
}
