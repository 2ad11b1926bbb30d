//! Batchers that hold many messages, or hold them for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures::FutureExt;
use stage_pipeline::batch::Trigger;
use stage_pipeline::memory::{MemoryOptions, MemoryQueue};
use stage_pipeline::{
    Batcher, Message, MessageBatch, Step, acked, async_batch_handler_fn, handler_fn,
};

use crate::support::{Counting, Faults, Log, batches, ended, ms, pass, secs, sizes, within};

/// Broadway 156: with many processors ten messages came as two batches of five.
#[tokio::test(start_paused = true)]
async fn messages_of_many_members_come_in_one_batch() {
    let (queue, seen) = (MemoryQueue::new(), Log::default());
    queue.enqueue_all(0..10_u64);
    let _pipeline = acked("numbers")
        .source(move || queue.source())
        .step(Step::new("pass").concurrency(20), pass)
        .batcher(
            Batcher::new("all").size(1_000).timeout(secs(1)),
            batches(&seen),
        )
        .start()
        .unwrap();
    tokio::time::sleep(secs(10)).await;
    assert_eq!(sizes(&seen), [10]);
    assert_eq!(
        (seen.all()[0].trigger, seen.all()[0].at),
        (Trigger::Timeout, secs(1))
    );
}

/// Broadway 178: with a batch key for each message, memory had no bound.
#[tokio::test(start_paused = true)]
async fn many_batch_keys_hold_no_more_messages_than_allowed() {
    let (source, seen) = (Counting::up_to(10_000), Log::default());
    let counting = source.clone();
    let pipeline = acked("numbers")
        .source(move || counting.clone())
        .step(Step::new("key").concurrency(4).max_demand(10), || {
            handler_fn(|message: &mut Message<u64>| {
                message.set_batch_key(message.data.to_string());
                Ok(())
            })
        })
        .batcher(
            Batcher::new("all")
                .max_open(1_000)
                .timeout(secs(60))
                .max_demand(10),
            batches(&seen),
        )
        .start()
        .unwrap();
    assert_eq!(ended(&pipeline).await.acked, 10_000);
    // In open batches, asked for by the members, asked for by the batcher from each member
    // and in the batch handler.
    let bound = 1_000 + 4 * 10 + 4 * 10 + 1 + 10;
    assert!(
        source.most_in_flight() <= bound,
        "{}",
        source.most_in_flight()
    );
    let under_pressure = seen
        .all()
        .iter()
        .filter(|seen| seen.trigger == Trigger::Pressure)
        .count();
    assert_eq!(under_pressure, 9_001);
    // The oldest leaves first.
    let order: Vec<_> = seen
        .all()
        .iter()
        .flat_map(|seen| seen.data.clone())
        .collect();
    assert!(
        order
            .iter()
            .enumerate()
            .all(|(at, number)| number.abs_diff(at as u64) < 100)
    );
}

/// Batches of one key that were handled at the same time.
async fn most_at_once(partitioned: bool) -> usize {
    let queue = MemoryQueue::new();
    queue.enqueue_all(0..40_u64);
    queue.close();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let shared = (Arc::clone(&now), Arc::clone(&most));
    let keyed = acked("numbers").source(move || queue.source());
    let keyed = match partitioned {
        true => keyed.partition_by(|_: &Message<u64>| 7),
        false => keyed,
    };
    let pipeline = keyed
        .step(Step::new("key").concurrency(2), || {
            handler_fn(|message: &mut Message<u64>| {
                message.set_batch_key("one");
                Ok(())
            })
        })
        .batcher(Batcher::new("all").size(4).concurrency(2), move || {
            let (now, most) = (Arc::clone(&shared.0), Arc::clone(&shared.1));
            async_batch_handler_fn(move |_: &mut MessageBatch<u64>| {
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                let now = Arc::clone(&now);
                async move {
                    tokio::time::sleep(ms(10)).await;
                    now.fetch_sub(1, SeqCst);
                    Ok(())
                }
                .boxed()
            })
        })
        .start()
        .unwrap();
    assert_eq!(ended(&pipeline).await.acked, 40);
    most.load(SeqCst)
}

/// Broadway's documentation says that batches of one key are handled one by one; they are
/// not. Here they are if messages are partitioned.
#[tokio::test(start_paused = true)]
async fn batches_of_one_key_are_handled_one_by_one_if_partitioned() {
    assert_eq!(most_at_once(false).await, 2);
    assert_eq!(most_at_once(true).await, 1);
}

fn with_visibility(visibility: u64) -> (MemoryQueue<u64>, Faults) {
    let options = MemoryOptions::new().visibility(secs(visibility));
    (MemoryQueue::with_options(options), Faults::new())
}

/// Broadway Cloud Pub/Sub 64: a batch that waits longer than its leases last.
#[tokio::test(start_paused = true)]
async fn leases_are_extended_while_a_batch_waits() {
    let ((queue, faults), seen) = (with_visibility(30), Log::default());
    queue.enqueue(1);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step("pass", pass)
        .batcher(Batcher::new("all").timeout(secs(300)), batches(&seen))
        .start()
        .unwrap();
    tokio::time::sleep(secs(301)).await;
    let counts = queue.counts();
    assert_eq!(
        (counts.deliveries, counts.acked, counts.expired),
        (1, 1, 0),
        "{counts:?}"
    );
    assert_eq!(seen.all()[0].at, secs(300));
    assert_eq!(pipeline.ledger().acked, 1);
}

/// Broadway SQS 63: the same message twice in one batch fails the whole call.
#[tokio::test(start_paused = true)]
async fn without_a_heartbeat_the_late_verdict_is_stale_and_counted() {
    let ((queue, faults), seen) = (with_visibility(40), Log::default());
    faults.without_heartbeat();
    queue.enqueue(1);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step("pass", pass)
        .batcher(Batcher::new("all").timeout(secs(60)), batches(&seen))
        .start()
        .unwrap();
    tokio::time::sleep(secs(61)).await;
    queue.close();
    let ledger = ended(&pipeline).await;
    // Delivered again after 40 s, and both deliveries were in the batch of 60 s.
    assert_eq!((ledger.acked, ledger.expired), (1, 1), "{ledger}");
    assert_eq!(queue.counts().stale, 1);
    assert_eq!(seen.all()[0].data, [1, 1]);
}

/// Broadway 178: memory stays flat with a slow sink, however much waits.
#[tokio::test(start_paused = true)]
async fn a_million_messages_wait_at_their_origin() {
    let source = Counting::up_to(1_000_000);
    let counting = source.clone();
    let pipeline = acked("numbers")
        .source(move || counting.clone())
        .step(Step::new("pass").concurrency(4).max_demand(100), pass)
        .batcher(Batcher::new("all").size(1_000), || {
            async_batch_handler_fn(|_: &mut MessageBatch<u64>| {
                async {
                    tokio::time::sleep(ms(100)).await;
                    Ok(())
                }
                .boxed()
            })
        })
        .start()
        .unwrap();
    assert_eq!(within(ended(&pipeline)).await.acked, 1_000_000);
    assert_eq!(source.acked(), 1_000_000);
    // 4 members hold 100 each, and the batcher asks each of them for 1,000; an open batch,
    // one that is handled, one that waits.
    let bound = 4 * 100 + 4 * 1_000 + 3 * 1_000;
    assert!(
        source.most_in_flight() <= bound,
        "{}",
        source.most_in_flight()
    );
}
