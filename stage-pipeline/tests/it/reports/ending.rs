//! Ends: of many pipelines, of empty ones, with handlers that hang, each way that there is.

use futures::FutureExt;
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{
    AckedPipeline, Batcher, Failed, Message, MessageBatch, Step, acked, async_batch_handler_fn,
    handler_fn,
};
use stages::Restart;

use crate::support::{
    Call, Counting, Faults, Log, Traced, batches, ended, ms, pass, secs, sizes, taking, then,
    within,
};

/// Broadway 242: a source that has no more work cannot end its pipeline.
#[tokio::test(start_paused = true)]
async fn a_source_at_its_end_ends_the_pipeline_without_waiting_for_a_timeout() {
    let (source, seen) = (Counting::up_to(250), Log::default());
    let counting = source.clone();
    let pipeline = acked("numbers")
        .source(move || counting.clone())
        .step("pass", pass)
        .batcher(
            Batcher::new("all").size(100).timeout(secs(60)),
            batches(&seen),
        )
        .start()
        .unwrap();
    let before = tokio::time::Instant::now();
    assert_eq!(ended(&pipeline).await.acked, 250);
    assert_eq!(before.elapsed(), ms(0));
    assert_eq!(sizes(&seen), [100, 100, 50]);
    assert_eq!(source.acked(), 250);
}

/// Broadway PR 362: about half of 50 to 100 pipelines that ended together never did.
#[tokio::test(start_paused = true)]
async fn a_hundred_pipelines_drain_at_the_same_time() {
    let start = |_| {
        let (queue, faults) = (MemoryQueue::new(), Faults::new());
        queue.enqueue_all(0..20_u64);
        let pipeline = acked("numbers")
            .source(faults.source(&queue))
            .step(Step::new("slow").concurrency(2), || taking(ms(5)))
            .batcher(Batcher::new("all").size(3), batches(&Log::default()))
            .start()
            .unwrap();
        (queue, faults, pipeline)
    };
    // Under way, and (Broadway Kafka 47) straight after the start.
    for under_way in [true, false] {
        let pipelines: Vec<_> = (0..100).map(start).collect();
        if under_way {
            tokio::time::sleep(ms(17)).await;
        }
        let drains = pipelines
            .iter()
            .map(|(.., pipeline)| pipeline.drain(secs(60)));
        let drained = within(futures::future::join_all(drains)).await;
        for (drained, (queue, faults, pipeline)) in drained.into_iter().zip(&pipelines) {
            drained.unwrap();
            ended(pipeline).await;
            assert_eq!(queue.counts().leased, 0);
            let ends = faults
                .calls()
                .into_iter()
                .filter(|call| matches!(call, Call::Drain | Call::Close));
            assert_eq!(ends.collect::<Vec<_>>(), [Call::Drain, Call::Close]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_without_messages_ends_at_once() {
    let (queue, faults, seen) = (MemoryQueue::<u64>::new(), Faults::new(), Log::default());
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step("pass", pass)
        .batcher("all", batches(&seen))
        .start()
        .unwrap();
    let before = tokio::time::Instant::now();
    assert_eq!(within(pipeline.test_batch([])).await.len(), 0);
    within(pipeline.drain(secs(60))).await.unwrap();
    // A second drain finds nothing to do.
    within(pipeline.drain(secs(60))).await.unwrap();
    assert_eq!(before.elapsed(), ms(0));
    assert_eq!((ended(&pipeline).await.leased, seen.len()), (0, 0));

    queue.close();
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step("pass", pass)
        .start()
        .unwrap();
    assert_eq!(ended(&pipeline).await.leased, 0);
}

/// Broadway Cloud Pub/Sub 85: a drain that waits behind a long poll.
#[tokio::test(start_paused = true)]
async fn a_lease_that_never_returns_ends_at_the_deadline_and_is_named() {
    let (queue, faults) = (MemoryQueue::<u64>::new(), Faults::new());
    queue.enqueue_all(0..5);
    faults.hang_leases(1);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step("pass", pass)
        .start()
        .unwrap();
    tokio::time::sleep(secs(1)).await;
    let text = pipeline.explain(ms(100)).to_string();
    assert!(text.contains("numbers/source#0"), "{text}");
    let before = tokio::time::Instant::now();
    let error = within(pipeline.drain(secs(10)))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        before.elapsed() >= secs(10) && before.elapsed() < secs(15),
        "{:?}",
        before.elapsed()
    );
    assert!(error.contains("numbers/source#0"), "{error}");
    assert_eq!((pipeline.ledger().leased, queue.counts().leased), (0, 0));
}

/// Broadway Cloud Pub/Sub 85: what the last poll returned was lost.
#[tokio::test(start_paused = true)]
async fn what_a_lease_returns_while_a_drain_begins_is_handled_or_given_back() {
    let (queue, faults) = (MemoryQueue::<u64>::new(), Faults::new());
    queue.enqueue_all(0..5);
    faults.slow_leases(secs(2));
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step("pass", pass)
        .batcher(
            Batcher::new("all").timeout(secs(600)),
            batches(&Log::default()),
        )
        .start()
        .unwrap();
    tokio::time::sleep(secs(1)).await;
    within(pipeline.drain(secs(10))).await.unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!(ledger.leased, ledger.acked + ledger.released, "{ledger}");
    let counts = queue.counts();
    assert_eq!(counts.acked as usize + counts.waiting, 5, "{counts:?}");
    assert_eq!(counts.leased, 0, "{counts:?}");
}

/// A pipeline of which the third message of ten takes for ever.
fn hanging(queue: &MemoryQueue<u64>, faults: &Faults) -> AckedPipeline<u64> {
    queue.enqueue_all(0..10);
    acked("numbers")
        .source(faults.source(queue))
        .restart(Restart::on_failure().max_restarts(0))
        .step(Step::new("check").concurrency(1), || {
            then(|message| match message.data {
                3 => std::future::pending().boxed(),
                _ => async { Ok::<_, Failed>(()) }.boxed(),
            })
        })
        .start()
        .unwrap()
}

fn closed(faults: &Faults) -> usize {
    faults
        .calls()
        .iter()
        .filter(|call| **call == Call::Close)
        .count()
}

/// Broadway 268, Broadway Kafka 65: `terminate` is not called, and connections stay behind.
#[tokio::test(start_paused = true)]
async fn a_source_is_closed_once_whichever_way_its_pipeline_ends() {
    // A drain past its deadline.
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    let pipeline = hanging(&queue, &faults);
    tokio::time::sleep(ms(1)).await;
    within(pipeline.drain(secs(1))).await.unwrap_err();
    assert_eq!((closed(&faults), queue.counts().leased), (1, 0));
    assert_eq!(pipeline.ledger().in_flight, 0);

    // A shutdown.
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..100);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step("slow", || taking(ms(10)))
        .start()
        .unwrap();
    tokio::time::sleep(ms(25)).await;
    within(pipeline.shutdown()).await;
    assert_eq!((closed(&faults), queue.counts().leased), (1, 0));
    assert_eq!(pipeline.ledger().in_flight, 0);

    // The last handle is dropped: nothing ends.
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..100);
    drop(
        acked("numbers")
            .source(faults.source(&queue))
            .step("slow", || taking(ms(10)))
            .start()
            .unwrap(),
    );
    queue.close();
    while queue.counts().acked < 100 {
        tokio::time::sleep(ms(1)).await;
    }
    tokio::time::sleep(ms(1)).await;
    assert_eq!(closed(&faults), 1);
}

/// A handler that hangs is stopped at the deadline, and so is a batch handler.
#[tokio::test(start_paused = true)]
async fn a_batch_handler_that_hangs_ends_at_the_deadline_with_its_messages_retried() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..5_u64);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("pass").concurrency(1), pass)
        .batcher(Batcher::new("all").size(2).timeout(None), || {
            async_batch_handler_fn(|_: &mut MessageBatch<u64>| std::future::pending().boxed())
        })
        .start()
        .unwrap();
    tokio::time::sleep(ms(1)).await;
    let error = within(pipeline.drain(secs(3))).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("numbers/all/handler#0"), "{text}");
    let ledger = error.origins[0].ledger;
    assert_eq!(
        (ledger.in_flight, ledger.acked, ledger.leased),
        (0, 0, 5),
        "{ledger}"
    );
    assert_eq!(queue.counts().leased, 0);
}

/// A source that cannot say goodbye does not keep the pipeline.
#[tokio::test(start_paused = true)]
async fn a_drain_ends_also_if_that_of_the_source_fails() {
    let (traced, _guard) = Traced::listen();
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..5_u64);
    faults.fail_drains(usize::MAX);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("slow").concurrency(1), || taking(ms(10)))
        .start()
        .unwrap();
    tokio::time::sleep(ms(5)).await;
    let before = tokio::time::Instant::now();
    within(pipeline.drain(secs(600))).await.unwrap();
    assert!(before.elapsed() <= ms(50), "{:?}", before.elapsed());
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (5, 5), "{ledger}");
    assert_eq!((faults.sources(), queue.counts().leased), (1, 0));
    assert_eq!(traced.lines("the source could not drain").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_also_if_that_of_the_source_panics() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..5_u64);
    faults.panic_drains(usize::MAX);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("slow").concurrency(1), || taking(ms(10)))
        .start()
        .unwrap();
    tokio::time::sleep(ms(5)).await;
    within(pipeline.drain(secs(600))).await.unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (5, 5), "{ledger}");
}

/// `run_until`, the main loop of a service.
#[tokio::test(start_paused = true)]
async fn a_service_drains_at_its_signal() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..1_000_u64);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step("slow", || taking(ms(10)))
        .start()
        .unwrap();
    let signal = tokio::time::sleep(ms(105));
    let origins = within(pipeline.run_until(signal, secs(30))).await.unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!(origins[0].ledger, ledger);
    assert!(
        ledger.acked > 0 && ledger.acked == ledger.leased,
        "{ledger}"
    );
}

/// Broadway RabbitMQ 102: "already started", while the first one still drained.
#[tokio::test(start_paused = true)]
async fn two_pipelines_of_one_name_may_live_at_once() {
    let queue = MemoryQueue::new();
    queue.enqueue_all(0..100_u64);
    let start = || {
        let source = queue.clone();
        acked("numbers")
            .source(move || source.source())
            .step("slow", || handler_fn(|_: &mut Message<u64>| Ok(())))
            .start()
            .unwrap()
    };
    let (one, two) = (start(), start());
    tokio::time::sleep(ms(1)).await;
    within(one.drain(secs(1))).await.unwrap();
    queue.enqueue_all(0..10);
    queue.close();
    let ledger = ended(&two).await.plus(one.ledger());
    assert_eq!((ledger.leased, ledger.acked), (110, 110), "{ledger}");
}
