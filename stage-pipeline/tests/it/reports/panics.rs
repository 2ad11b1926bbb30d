//! Closures of users that panic in places where nobody thinks of it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use futures::FutureExt;
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::policy::Retry;
use stage_pipeline::{
    BatchHandler, Batcher, Failed, Message, MessageBatch, Step, acked, batch_handler_fn,
};

use crate::support::{
    Faults, Log, Traced, batches, ended, ms, pass, record_data, restarts, secs, within,
};

/// The key of a message is asked for in a stage that many messages go through.
#[tokio::test(start_paused = true)]
async fn a_message_whose_key_panics_fails_alone() {
    let (queue, faults, handled) = (MemoryQueue::new(), Faults::new(), Log::default());
    queue.enqueue_all(0..10_u64);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .partition_by(|message: &Message<u64>| match message.data {
            3 => panic!("no key for 3"),
            number => number,
        })
        .step(Step::new("record").concurrency(2), record_data(&handled))
        .start()
        .unwrap();
    tokio::time::sleep(secs(60)).await;
    queue.enqueue_all(10..12);
    queue.close();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.acked, ledger.rejected), (11, 1), "{ledger}");
    assert_eq!(faults.sources(), 1);
    assert_eq!(queue.dead_letters()[0].data, 3);
    let reason = queue.dead_letters()[0].reason.clone().unwrap();
    assert!(reason.contains("no key for 3"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_key_panics_behind_a_step_fails_alone() {
    let (queue, handled) = (MemoryQueue::new(), Log::default());
    queue.enqueue_all(0..10_u64);
    queue.close();
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .step(Step::new("record").concurrency(2), record_data(&handled))
        .partition_by(|message: &Message<u64>| match message.data {
            3 => panic!("no key for 3"),
            number => number,
        })
        .batcher(
            Batcher::new("all").concurrency(2).timeout(ms(10)),
            batches(&Log::default()),
        )
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!(
        (ledger.acked, ledger.rejected, ledger.retried),
        (9, 1, 4),
        "{ledger}"
    );
    assert_eq!(restarts(&pipeline), 0);
}

/// The closure that makes handlers panics at the start: no stage is left.
#[tokio::test(start_paused = true)]
async fn a_handler_that_cannot_be_made_at_the_start_leaves_nothing_leased() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..10_u64);
    let start = AssertUnwindSafe(async {
        let pipeline = acked("numbers")
            .source(faults.source(&queue))
            .step(
                Step::new("check").concurrency(2),
                || -> crate::support::DataRecorder { panic!("no configuration") },
            )
            .start();
        match pipeline {
            Ok(pipeline) => within(pipeline.join())
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    });
    match start.catch_unwind().await {
        Ok(Err(text)) => assert!(text.contains("no configuration"), "{text}"),
        Ok(Ok(())) => panic!("it runs without a handler"),
        // The panic of the caller's own closure reaches the caller.
        Err(panic) => assert_eq!(panic.downcast_ref::<&str>(), Some(&"no configuration")),
    }
    tokio::time::sleep(secs(60)).await;
    let counts = queue.counts();
    assert_eq!((counts.leased, counts.waiting), (0, 10), "{counts:?}");
}

/// An acknowledger that panics in a destructor could end the process.
#[tokio::test(start_paused = true)]
async fn an_acknowledger_that_panics_when_a_message_is_dropped_is_traced() {
    let (traced, _guard) = Traced::listen();
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..4_u64);
    queue.close();
    faults.panic_abandons(2);
    let batches = Log::default();
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step("pass", pass)
        .batcher(Batcher::new("all").size(4).timeout(ms(10)), move || {
            let batches = batches.clone();
            batch_handler_fn(move |batch: &mut MessageBatch<u64>| {
                batches.push(());
                if batches.len() == 1 {
                    // Dropped while the thread unwinds.
                    let _one = batch.messages.remove(0);
                    let _two = batch.messages.remove(0);
                    panic!("a bug");
                }
                Ok(())
            })
        })
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.acked, ledger.retried), (4, 4), "{ledger}");
    assert_eq!(traced.lines("the acknowledger has a bug").len(), 2);
}

/// Everything panics, at random, and nothing is lost.
#[tokio::test(start_paused = true)]
async fn whatever_panics_every_message_is_acked_or_dead() {
    for seed in 0..10 {
        let (queue, faults) = (MemoryQueue::new(), Faults::new());
        queue.enqueue_all(0..200_u64);
        queue.close();
        faults.panic_leases(3);
        faults.panic_settles(3);
        faults.fail_opens(2);
        let pipeline = acked("numbers")
            .source(faults.source(&queue))
            .step(Step::new("check").concurrency(3), move || {
                let mut random = fastrand::Rng::with_seed(seed);
                stage_pipeline::handler_fn(move |_: &mut Message<u64>| {
                    panic_at_random(&mut random);
                    Ok(())
                })
            })
            .batcher(
                Batcher::new("all").size(9).timeout(ms(20)).concurrency(2),
                move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    batch_handler_fn(move |_: &mut MessageBatch<u64>| {
                        panic_at_random(&mut random);
                        Ok(())
                    })
                },
            )
            .start()
            .unwrap();
        let ledger = ended(&pipeline).await;
        let counts = queue.counts();
        assert_eq!(ledger.acked + ledger.rejected, 200, "{ledger}");
        assert_eq!(
            (counts.acked, counts.dead),
            (ledger.acked, ledger.rejected),
            "{counts:?}"
        );
    }
}

/// Without the hook, which would print.
fn panic_at_random(random: &mut fastrand::Rng) {
    if random.u8(..100) <= 10 {
        std::panic::resume_unwind(Box::new("at random"));
    }
}

/// A handler that has panicked may be in any state, also if nobody traces that.
#[tokio::test(start_paused = true)]
async fn a_batch_handler_whose_handle_failed_panics_is_made_again() {
    struct Panics;

    impl BatchHandler for Panics {
        type Data = u64;

        async fn handle_batch(&mut self, _: &mut MessageBatch<u64>) -> Result<(), Failed> {
            Err("no".into())
        }

        async fn handle_failed(&mut self, _: &mut [Message<u64>]) {
            panic!("in handle_failed");
        }
    }

    let queue = MemoryQueue::new();
    queue.enqueue(1_u64);
    queue.close();
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .retry(Retry::never())
        .step("pass", pass)
        .batcher(Batcher::new("all").timeout(ms(1)), move || {
            count.fetch_add(1, Relaxed);
            Panics
        })
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!(ledger.rejected, 1, "{ledger}");
    assert_eq!(made.load(Relaxed), 2);
}
