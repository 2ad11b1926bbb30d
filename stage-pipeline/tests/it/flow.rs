//! The way of messages through a pipeline.

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{
    Batcher, Failed, Message, MessageBatch, Step, acked, batch_handler_fn, handler_fn,
};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn every_message_is_acked_once() {
    let queue = MemoryQueue::new();
    queue.enqueue_all(1..=10_000_u64);
    queue.close();
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .step(Step::new("double").concurrency(8), || {
            handler_fn(|message: &mut Message<u64>| {
                message.data *= 2;
                Ok(())
            })
        })
        .batcher(Batcher::new("all").size(100), || {
            batch_handler_fn(|batch: &mut MessageBatch<u64>| {
                assert!(batch.messages.len() <= 100);
                Ok(())
            })
        })
        .start()
        .unwrap();
    if tokio::time::timeout(Duration::from_secs(3600), pipeline.join())
        .await
        .is_err()
    {
        panic!(
            "{} {:?} {:#?}",
            pipeline.explain(Duration::ZERO),
            pipeline.ledger(),
            pipeline.snapshot()
        );
    }
    let counts = queue.counts();
    assert_eq!(
        (counts.acked, counts.deliveries, counts.stale),
        (10_000, 10_000, 0),
        "{counts:?}"
    );
    assert_eq!(pipeline.ledger().acked, 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_failing_message_is_retried_and_then_dead() {
    let queue = MemoryQueue::new();
    queue.enqueue_all(1..=100_u64);
    queue.close();
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .step(Step::new("check").concurrency(3), || {
            handler_fn(|message: &mut Message<u64>| match message.data {
                7 => Err("poison".into()),
                8 => Err(Failed::reject("never")),
                9 if message.metadata().deliveries() == 1 => panic!("nine"),
                _ => Ok(()),
            })
        })
        .start()
        .unwrap();
    if tokio::time::timeout(Duration::from_secs(3600), pipeline.join())
        .await
        .is_err()
    {
        panic!(
            "{} {:?} {:#?}",
            pipeline.explain(Duration::ZERO),
            pipeline.ledger(),
            pipeline.snapshot()
        );
    }
    let dead = queue.dead_letters();
    let dead: Vec<_> = dead
        .iter()
        .map(|dead| (dead.data, dead.deliveries, dead.reason.as_deref()))
        .collect();
    assert_eq!(dead, [(8, 1, Some("never")), (7, 5, Some("poison"))]);
    let ledger = pipeline.ledger();
    assert_eq!(
        (ledger.acked, ledger.rejected, ledger.retried),
        (98, 2, 5),
        "{ledger}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_drain_flushes_open_batches_at_once() {
    let queue = MemoryQueue::new();
    queue.enqueue_all(1..=30_u64);
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .step("pass", || handler_fn(|_: &mut Message<u64>| Ok(())))
        .batcher(
            Batcher::new("all")
                .size(100)
                .timeout(Duration::from_secs(600)),
            || batch_handler_fn(|_: &mut MessageBatch<u64>| Ok(())),
        )
        .start()
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    println!("{}", pipeline.explain(Duration::from_millis(100)));
    let origins = pipeline.drain(Duration::from_secs(60)).await.unwrap();
    assert_eq!(origins[0].ledger.acked, 30);
    assert_eq!(queue.counts().acked, 30);
}
