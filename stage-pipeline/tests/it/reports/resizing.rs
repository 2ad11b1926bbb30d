//! Broadway 119: to change the concurrency while running.

use std::time::Duration;

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{Batcher, Message, ResizeError, Step, acked};

use crate::support::{Faults, Log, batches, ended, ms, pass, secs, taking, within};

#[tokio::test(start_paused = true)]
async fn a_step_is_resized_under_load_and_nothing_comes_again() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..6_000_u64);
    queue.close();
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("slow").concurrency(2).max_demand(2), || {
            taking(ms(10))
        })
        .step(Step::new("fast").concurrency(2), pass)
        .batcher(
            Batcher::new("all").size(10).timeout(ms(50)),
            batches(&Log::default()),
        )
        .start()
        .unwrap();
    for members in [8, 1, 20, 3, 3] {
        tokio::time::sleep(ms(105)).await;
        let before = pipeline.ledger().acked;
        within(pipeline.resize("slow", members)).await.unwrap();
        assert_eq!(pipeline.members("slow"), Some(members));
        within(pipeline.resize("fast", members)).await.unwrap();
        // As fast as its members: each handles 100 messages a second.
        tokio::time::sleep(secs(1)).await;
        let rate = pipeline.ledger().acked - before;
        let expected = 100 * members as u64;
        assert!(rate + 60 >= expected.min(2_000), "{rate} with {members}");
    }
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (6_000, 6_000), "{ledger}");
    assert_eq!(queue.counts().deliveries, 6_000);
}

#[tokio::test(start_paused = true)]
async fn a_step_cannot_be_resized_if_there_is_none_or_it_is_partitioned_or_to_nothing() {
    let queue = MemoryQueue::<u64>::new();
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .step(Step::new("one").concurrency(2), pass)
        .partition_by(|message: &Message<u64>| message.data)
        .step(Step::new("two").concurrency(2), pass)
        .start()
        .unwrap();
    let resize = |step: &'static str, members| within(pipeline.resize(step, members));
    let unknown = resize("three", 2).await.unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "there is no step `three`; the steps are `one`, `two`"
    );
    assert!(matches!(
        resize("two", 3).await,
        Err(ResizeError::Partitioned { .. })
    ));
    assert!(matches!(
        resize("one", 0).await,
        Err(ResizeError::Empty { .. })
    ));
    resize("one", 3).await.unwrap();
    queue.enqueue_all(0..10);
    queue.close();
    assert_eq!(ended(&pipeline).await.acked, 10);
    let ended = within(pipeline.resize("one", 5)).await;
    assert!(ended.is_err(), "{ended:?}");
}

/// Resizing and draining at once, on real threads.
#[test]
fn a_drain_while_a_step_is_resized_ends() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for round in 0..30 {
            let queue = MemoryQueue::new();
            queue.enqueue_all(0..10_000_u64);
            let source = queue.clone();
            let pipeline = acked("numbers")
                .source(move || source.source())
                .step(Step::new("pass").concurrency(2), pass)
                .batcher(
                    Batcher::new("all").size(10).timeout(ms(5)),
                    batches(&Log::default()),
                )
                .start()
                .unwrap();
            let resizing = tokio::spawn({
                let pipeline = pipeline.clone();
                async move {
                    for members in [5, 1, 7, 2, 9, 1] {
                        // The pipeline may have ended.
                        let _ = pipeline.resize("pass", members).await;
                    }
                }
            });
            tokio::time::sleep(Duration::from_micros(round * 100)).await;
            let drained = tokio::time::timeout(
                Duration::from_secs(30),
                pipeline.drain(Duration::from_secs(20)),
            );
            drained.await.expect("the drain hangs").unwrap();
            tokio::time::timeout(Duration::from_secs(30), resizing)
                .await
                .expect("the resize hangs")
                .unwrap();
            let ledger = pipeline.ledger();
            assert_eq!(
                (ledger.in_flight, ledger.leased),
                (0, ledger.acked),
                "{ledger}"
            );
            assert_eq!(queue.counts().leased, 0);
        }
    });
}
