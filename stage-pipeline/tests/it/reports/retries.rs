//! Retries: when a message comes again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::policy::Retry;
use stage_pipeline::{Failed, Message, Step, acked, handler_fn};

use crate::support::{Log, ended, secs, within};

/// Retries come back in the order of their delays.
#[tokio::test(start_paused = true)]
async fn retries_come_again_in_the_order_of_their_delays() {
    let queue = MemoryQueue::new();
    queue.enqueue_all([5, 1, 4, 2, 3]);
    queue.close();
    let again = Log::default();
    let log = again.clone();
    let begin = tokio::time::Instant::now();
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .step(Step::new("check").concurrency(1), move || {
            let log = log.clone();
            handler_fn(move |message: &mut Message<u64>| {
                if message.metadata().deliveries() == 1 {
                    return Err(Failed::retry_after(secs(message.data), "later"));
                }
                log.push((message.data, begin.elapsed()));
                Ok(())
            })
        })
        .start()
        .unwrap();
    ended(&pipeline).await;
    let expected: Vec<_> = (1..=5).map(|delay| (delay, secs(delay))).collect();
    assert_eq!(again.all(), expected);
}

/// The delays of a message grow, and a poison message causes no hot loop.
#[tokio::test(start_paused = true)]
async fn a_poison_message_comes_again_after_growing_delays() {
    let queue = MemoryQueue::new();
    queue.enqueue(1_u64);
    queue.close();
    let tried = Log::default();
    let log = tried.clone();
    let begin = tokio::time::Instant::now();
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .retry(Retry::default().without_jitter())
        .step(Step::new("check").concurrency(1), move || {
            let log = log.clone();
            handler_fn(move |_: &mut Message<u64>| {
                log.push(begin.elapsed());
                Err("poison".into())
            })
        })
        .start()
        .unwrap();
    ended(&pipeline).await;
    // The timers of tokio have a resolution of 1 ms, and each adds up to one.
    let tried: Vec<_> = tried
        .all()
        .iter()
        .map(|at| at.as_millis() / 10 * 10)
        .collect();
    assert_eq!(tried, [0, 100, 300, 700, 1_500]);
}

/// Attempts in place, within one delivery.
#[tokio::test(start_paused = true)]
async fn attempts_in_place_are_one_delivery() {
    let queue = MemoryQueue::new();
    queue.enqueue(1_u64);
    queue.close();
    let failed_once = Arc::new(AtomicBool::new(false));
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .retry(Retry::never().attempts(3))
        .step(Step::new("check").concurrency(1), move || {
            let failed_once = Arc::clone(&failed_once);
            handler_fn(
                move |_: &mut Message<u64>| match failed_once.swap(true, SeqCst) {
                    false => Err("once".into()),
                    true => Ok(()),
                },
            )
        })
        .start()
        .unwrap();
    assert_eq!(within(ended(&pipeline)).await.acked, 1);
    assert_eq!(queue.counts().deliveries, 1);
}
