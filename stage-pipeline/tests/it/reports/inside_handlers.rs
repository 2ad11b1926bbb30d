//! Handlers that end or change their own pipeline.

use std::sync::{Arc, OnceLock};

use futures::FutureExt;
use futures::future::BoxFuture;
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{AckedPipeline, Failed, ResizeError, Step, acked};

use crate::support::{Faults, ended, ms, secs, then, within};

type Inside = fn(AckedPipeline<u64>) -> BoxFuture<'static, ()>;

/// A pipeline whose only member calls `inside` in its handler of message 2 of 4.
fn start(inside: Inside) -> (MemoryQueue<u64>, Faults, AckedPipeline<u64>) {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(1..=4);
    let handle = Arc::new(OnceLock::<AckedPipeline<u64>>::new());
    let handler_handle = Arc::clone(&handle);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("check").concurrency(1), move || {
            let handle = Arc::clone(&handler_handle);
            then(move |message| {
                let pipeline = (message.data == 2).then(|| handle.get().unwrap().clone());
                async move {
                    tokio::time::sleep(ms(1)).await;
                    if let Some(pipeline) = pipeline {
                        inside(pipeline).await;
                    }
                    Ok::<_, Failed>(())
                }
                .boxed()
            })
        })
        .start()
        .unwrap();
    handle.set(pipeline.clone()).unwrap();
    (queue, faults, pipeline)
}

/// Broadway 89 and 242: `Broadway.stop` in a handler waits for itself until it is killed.
#[tokio::test(start_paused = true)]
async fn a_drain_that_a_handler_awaits_handles_all_that_was_leased() {
    let (queue, _, pipeline) = start(|pipeline| {
        async move {
            pipeline.drain(secs(5)).await.unwrap();
        }
        .boxed()
    });
    let before = tokio::time::Instant::now();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (4, 4), "{ledger}");
    assert!(before.elapsed() < secs(1), "{:?}", before.elapsed());
    assert_eq!(queue.counts().leased, 0);
}

/// As above, in a task of its own.
#[tokio::test(start_paused = true)]
async fn a_drain_that_a_handler_starts_in_a_task_handles_all_that_was_leased() {
    let (_, _, pipeline) = start(|pipeline| {
        tokio::spawn(async move { pipeline.drain(secs(5)).await });
        async {}.boxed()
    });
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (4, 4), "{ledger}");
}

/// A handler that waits for a task which drains waits for itself: the deadline ends it.
#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_for_a_drain_in_a_task_ends_at_the_deadline() {
    let (queue, _, pipeline) = start(|pipeline| {
        async move {
            let draining = tokio::spawn(async move { pipeline.drain(secs(5)).await });
            let _ = draining.await;
        }
        .boxed()
    });
    let before = tokio::time::Instant::now();
    let _ = within(pipeline.join()).await;
    assert!(before.elapsed() < secs(10), "{:?}", before.elapsed());
    let ledger = pipeline.ledger();
    assert_eq!(
        (ledger.in_flight, queue.counts().leased),
        (0, 0),
        "{ledger}"
    );
    assert_eq!(
        ledger.acked + ledger.retried + ledger.released,
        4,
        "{ledger}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_and_a_shutdown_in_a_handler_give_back_what_was_not_handled() {
    let stop: Inside = |pipeline| {
        pipeline.stop("enough");
        async {}.boxed()
    };
    let shutdown: Inside = |pipeline| async move { pipeline.shutdown().await }.boxed();
    for inside in [stop, shutdown] {
        let (queue, _, pipeline) = start(inside);
        let _ = within(pipeline.join()).await;
        let ledger = pipeline.ledger();
        assert_eq!(ledger.in_flight, 0, "{ledger}");
        assert_eq!(ledger.leased, 4, "{ledger}");
        let counts = queue.counts();
        assert_eq!(counts.leased, 0, "{counts:?}");
        assert_eq!(
            counts.acked as usize + counts.waiting + counts.delayed,
            4,
            "{counts:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_join_in_a_handler_is_an_error_and_no_deadlock() {
    let (queue, _, pipeline) = start(|pipeline| {
        async move {
            let error = pipeline.join().await.unwrap_err().to_string();
            assert!(error.contains("numbers/check#0"), "{error}");
        }
        .boxed()
    });
    tokio::time::sleep(secs(1)).await;
    queue.close();
    assert_eq!(ended(&pipeline).await.acked, 4);
}

#[tokio::test(start_paused = true)]
async fn a_resize_in_a_handler_is_no_deadlock() {
    let (queue, _, pipeline) = start(|pipeline| {
        async move {
            let refused = pipeline.resize("check", 0).await.unwrap_err();
            assert!(matches!(refused, ResizeError::Empty { .. }));
            pipeline.resize("check", 3).await.unwrap();
        }
        .boxed()
    });
    tokio::time::sleep(secs(1)).await;
    queue.close();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (4, 4), "{ledger}");
    assert_eq!(pipeline.members("check"), Some(3));
}

/// A member that leaves finishes what it has; one that waits for that in its handler would
/// never have.
#[tokio::test(start_paused = true)]
async fn a_resize_that_ends_the_member_whose_handler_asks_for_it_is_no_deadlock() {
    let queue = MemoryQueue::new();
    queue.enqueue_all(1..=4);
    let handle = Arc::new(OnceLock::<AckedPipeline<u64>>::new());
    let handler_handle = Arc::clone(&handle);
    let made = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .step(Step::new("check").concurrency(2).max_demand(1), move || {
            let handle = Arc::clone(&handler_handle);
            let mut is_youngest = made.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1;
            then(move |_| {
                let inside = std::mem::take(&mut is_youngest).then(|| Arc::clone(&handle));
                async move {
                    tokio::time::sleep(ms(1)).await;
                    if let Some(handle) = inside {
                        let _ = handle.get().unwrap().resize("check", 1).await;
                    }
                    Ok::<_, Failed>(())
                }
                .boxed()
            })
        })
        .start()
        .unwrap();
    handle.set(pipeline.clone()).unwrap();
    tokio::time::sleep(secs(1)).await;
    queue.close();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (4, 4), "{ledger}");
    assert_eq!(pipeline.members("check"), Some(1));
}
