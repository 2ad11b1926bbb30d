//! The runtime is shut down while messages are under way: all leases are given back.

use std::time::{Duration, Instant};

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{AckedPipeline, Batcher, Step, acked};
use tokio::runtime::{Builder, Runtime};

use crate::support::{Log, batches, ms, pass, taking};

fn start(queue: &MemoryQueue<u64>) -> AckedPipeline<u64> {
    let source = queue.clone();
    queue.enqueue_all(0..1_000);
    acked("numbers")
        .source(move || source.source())
        .step(Step::new("pass").concurrency(3), pass)
        .step(Step::new("slow").concurrency(3), || {
            taking(Duration::from_millis(2))
        })
        .batcher(
            Batcher::new("large")
                .size(50)
                .timeout(Duration::from_secs(60)),
            batches(&Log::default()),
        )
        .start()
        .unwrap()
}

/// Runs until something is acked and much is under way, then drops the runtime.
fn drop_in_the_middle(runtime: Runtime) {
    let queue = MemoryQueue::new();
    let pipeline = runtime.block_on(async {
        let pipeline = start(&queue);
        let begin = Instant::now();
        while queue.counts().acked < 50 {
            tokio::time::sleep(ms(1)).await;
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "{}",
                pipeline.ledger()
            );
        }
        pipeline
    });
    drop(runtime);
    let (ledger, counts) = (pipeline.ledger(), queue.counts());
    assert_eq!(
        (ledger.in_flight, counts.leased),
        (0, 0),
        "{ledger} {counts:?}"
    );
    assert_eq!(ledger.leased, ledger.settled(), "{ledger}");
    assert_eq!(counts.acked, ledger.acked, "{ledger} {counts:?}");
    assert_eq!(
        counts.acked as usize + counts.waiting + counts.delayed,
        1_000,
        "{counts:?}"
    );
    // The handle of a pipeline outlives its runtime.
    pipeline.stop("it has ended already");
    drop(pipeline);

    // Another runtime finishes the work.
    queue.close();
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let source = queue.clone();
        let pipeline = acked("numbers")
            .source(move || source.source())
            .step("pass", pass)
            .start()
            .unwrap();
        tokio::time::timeout(Duration::from_secs(30), pipeline.join())
            .await
            .expect("it hangs")
            .unwrap();
    });
    assert_eq!(queue.counts().acked, 1_000);
}

#[test]
fn a_current_thread_runtime_that_is_dropped_gives_all_leases_back() {
    drop_in_the_middle(Builder::new_current_thread().enable_all().build().unwrap());
}

#[test]
fn a_runtime_of_many_threads_that_is_dropped_gives_all_leases_back() {
    for _ in 0..3 {
        drop_in_the_middle(
            Builder::new_multi_thread()
                .worker_threads(3)
                .enable_all()
                .build()
                .unwrap(),
        );
    }
}

/// A message that a user keeps outlives everything, and is given back where it is dropped.
#[test]
fn a_message_that_is_dropped_without_a_runtime_is_given_back() {
    let queue = MemoryQueue::new();
    queue.enqueue_all(0..3_u64);
    let kept = Log::default();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (source, keep) = (queue.clone(), kept.clone());
        let _pipeline = acked("numbers")
            .source(move || source.source())
            .step(Step::new("keep").concurrency(1), pass)
            .batcher(Batcher::new("all").size(3), move || {
                let keep = keep.clone();
                stage_pipeline::batch_handler_fn(
                    move |batch: &mut stage_pipeline::MessageBatch<u64>| {
                        batch
                            .messages
                            .drain(..)
                            .for_each(|message| keep.push(message));
                        Ok(())
                    },
                )
            })
            .start()
            .unwrap();
        while kept.len() < 3 {
            tokio::time::sleep(ms(1)).await;
        }
    });
    drop(runtime);
    assert_eq!(queue.counts().leased, 3);
    std::thread::spawn(move || drop(kept)).join().unwrap();
    let counts = queue.counts();
    assert_eq!((counts.leased, counts.retried), (0, 3), "{counts:?}");
}
