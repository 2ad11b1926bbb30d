//! Ends of a pipeline.

use futures::FutureExt;
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{
    AckedPipeline, Batcher, Message, MessageBatch, Step, acked, async_batch_handler_fn,
    async_handler_fn, handler_fn,
};
use stages::Restart;

use crate::support::{Call, Faults, ended, ms, pass, secs, within};

#[tokio::test(start_paused = true)]
async fn b111_a_stage_that_fails_for_good_ends_the_pipeline_and_join_names_it() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..100_u64);
    let made = crate::support::Log::default();
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .restart(Restart::on_failure().max_restarts(0))
        .step(Step::new("check").concurrency(1), move || {
            made.push(());
            assert!(made.len() == 1, "no handler can be made");
            handler_fn(|message: &mut Message<u64>| match message.data {
                3 => panic!("a bug"),
                _ => Ok(()),
            })
        })
        .batcher(
            Batcher::new("all").timeout(secs(60)),
            crate::support::batches(&Default::default()),
        )
        .start()
        .unwrap();
    let error = within(pipeline.join()).await.unwrap_err().to_string();
    assert!(error.contains("numbers/check#0"), "{error}");
    assert!(error.contains("no handler can be made"), "{error}");
    let ledger = pipeline.ledger();
    assert_eq!(
        (ledger.in_flight, queue.counts().leased),
        (0, 0),
        "{ledger}"
    );
    let calls = faults.calls();
    let closed = calls.iter().filter(|call| **call == Call::Close).count();
    assert_eq!(closed, 1, "{calls:?}");
}

fn slow(queue: &MemoryQueue<u64>, faults: &Faults, batcher: Batcher<u64>) -> AckedPipeline<u64> {
    acked("numbers")
        .source(faults.source(queue))
        .step(Step::new("pass").concurrency(2), pass)
        .batcher(batcher, || {
            async_batch_handler_fn(|_: &mut MessageBatch<u64>| {
                async {
                    tokio::time::sleep(ms(100)).await;
                    Ok(())
                }
                .boxed()
            })
        })
        .start()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn b112_b113_after_a_drain_no_stage_is_left_and_no_message_leased() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..1_000);
    let pipeline = slow(&queue, &faults, Batcher::new("all").size(10));
    tokio::time::sleep(ms(250)).await;
    let leased = pipeline.ledger().leased;
    assert!(pipeline.ledger().in_flight > 0, "{}", pipeline.ledger());
    let origins = within(pipeline.drain(secs(60))).await.unwrap();
    let ended = pipeline
        .snapshot()
        .stages
        .iter()
        .all(|stage| stage.outcome.is_some());
    assert!(ended, "{:?}", pipeline.snapshot());
    assert_eq!(
        (origins[0].ledger.acked, origins[0].ledger.in_flight),
        (leased, 0)
    );
    let counts = queue.counts();
    assert_eq!((counts.acked, counts.leased), (leased, 0), "{counts:?}");
    assert_eq!(counts.waiting as u64, 1_000 - leased, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn b114_a_drain_delivers_open_batches_at_once_whatever_their_timeout() {
    for timeout in [Some(secs(3000)), None] {
        let (queue, faults) = (MemoryQueue::new(), Faults::new());
        queue.enqueue_all(0..5);
        let pipeline = slow(&queue, &faults, Batcher::new("all").timeout(timeout));
        tokio::time::sleep(secs(1)).await;
        let before = tokio::time::Instant::now();
        within(pipeline.drain(secs(600))).await.unwrap();
        // Only the batch handler takes time.
        assert_eq!(before.elapsed(), ms(100));
        assert_eq!(ended(&pipeline).await.acked, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn b115_what_comes_while_a_pipeline_drains_is_not_leased() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..5);
    let pipeline = slow(&queue, &faults, Batcher::new("all").timeout(secs(60)));
    tokio::time::sleep(secs(1)).await;
    let draining = tokio::spawn({
        let pipeline = pipeline.clone();
        async move { pipeline.drain(secs(60)).await.unwrap() }
    });
    tokio::time::sleep(ms(50)).await;
    queue.enqueue_all(5..10);
    within(draining).await.unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (5, 5), "{ledger}");
    assert_eq!(queue.counts().waiting, 5);
}

#[tokio::test(start_paused = true)]
async fn b116_a_drain_ends_at_its_deadline_and_gives_back_what_is_unsettled() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..5_u64);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("hang").concurrency(1), || {
            async_handler_fn(|message: &mut Message<u64>| {
                let hangs = message.data == 1;
                async move {
                    if hangs {
                        std::future::pending::<()>().await;
                    }
                    Ok(())
                }
                .boxed()
            })
        })
        .start()
        .unwrap();
    tokio::time::sleep(ms(1)).await;
    let before = tokio::time::Instant::now();
    let error = within(pipeline.drain(secs(7))).await.unwrap_err();
    assert!(
        before.elapsed() >= secs(7) && before.elapsed() < secs(10),
        "{:?}",
        before.elapsed()
    );
    let text = error.to_string();
    assert!(
        text.contains("numbers/hang#0") && text.contains("numbers/source#0"),
        "{text}"
    );
    let ledger = pipeline.ledger();
    assert_eq!((ledger.in_flight, ledger.leased), (0, 5), "{ledger}");
    assert_eq!(error.origins[0].ledger, ledger);
    // The one in hand had been tried; the one before it was handled, but not acked.
    assert_eq!((ledger.retried, ledger.released), (2, 3), "{ledger}");
    let counts = queue.counts();
    assert_eq!(
        (counts.leased, counts.waiting + counts.delayed),
        (0, 5),
        "{counts:?}"
    );
}
