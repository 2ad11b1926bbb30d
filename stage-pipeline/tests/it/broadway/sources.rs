//! Sources: leased from as they are asked, restarted when they fail, closed at the end.

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{
    AckedPipeline, Batcher, Message, Step, Verdict, acked, batch_handler_fn, handler_fn,
};
use stages::Restart;

use crate::support::{
    Call, Faults, Log, Traced, batches, ended, ms, pass, record_data, secs, within,
};

fn start(queue: &MemoryQueue<u64>, faults: &Faults, log: &Log<u64>) -> AckedPipeline<u64> {
    acked("numbers")
        .source(faults.source(queue))
        .step(Step::new("record").concurrency(1), record_data(log))
        .start()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn b006_a_source_without_messages_acks_what_a_test_sends() {
    let (queue, faults, log) = (MemoryQueue::new(), Faults::new(), Log::default());
    let pipeline = start(&queue, &faults, &log);
    let settled = within(pipeline.test_batch([1, 2, 3])).await;
    assert!(settled.iter().all(|one| one.verdict == Verdict::Ack));
    assert_eq!(log.all(), [1, 2, 3]);
    assert_eq!(pipeline.ledger().leased, 0);
}

#[tokio::test(start_paused = true)]
async fn b013_what_a_source_leases_goes_to_the_first_step() {
    let (queue, faults, log) = (MemoryQueue::new(), Faults::new(), Log::default());
    queue.enqueue_all(0..25);
    queue.close();
    let pipeline = start(&queue, &faults, &log);
    let ledger = ended(&pipeline).await;
    assert_eq!(log.all(), (0..25).collect::<Vec<_>>());
    assert_eq!((ledger.leased, ledger.acked), (25, 25));
}

#[tokio::test(start_paused = true)]
async fn b015_a_source_at_its_end_completes_the_pipeline() {
    let (queue, faults, log) = (MemoryQueue::new(), Faults::new(), Log::default());
    queue.enqueue_all(0..3);
    let pipeline = start(&queue, &faults, &log);
    tokio::time::sleep(secs(1)).await;
    assert!(
        !pipeline
            .snapshot()
            .stages
            .iter()
            .any(|stage| stage.outcome.is_some())
    );
    queue.close();
    assert_eq!(ended(&pipeline).await.acked, 3);
    // Messages of the pipeline that come after the end are given back.
    assert_eq!(
        within(pipeline.test_message(4)).await.verdict,
        Verdict::Release
    );
}

#[tokio::test(start_paused = true)]
async fn b018_a_source_that_is_woken_leases_at_once() {
    let (queue, faults, log) = (MemoryQueue::new(), Faults::new(), Log::default());
    let _pipeline = start(&queue, &faults, &log);
    for round in 0..3 {
        tokio::time::sleep(secs(60)).await;
        let before = tokio::time::Instant::now();
        queue.enqueue_all([round]);
        while log.len() < round as usize + 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(before.elapsed(), ms(0));
    }
    assert_eq!(log.all(), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn b020_a_source_that_fails_is_made_again_and_its_error_is_kept() {
    let (traced, _guard) = Traced::listen();
    let (queue, faults, log) = (MemoryQueue::new(), Faults::new(), Log::default());
    queue.enqueue_all(0..3);
    faults.fail_leases(1);
    let pipeline = start(&queue, &faults, &log);
    queue.close();
    // What it leased before its error is delivered, and not leased again.
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (3, 3), "{ledger}");
    assert_eq!(faults.sources(), 2);
    assert!(!traced.lines("the connection is gone").is_empty());
}

#[tokio::test(start_paused = true)]
async fn b020_a_source_that_is_not_made_again_ends_the_pipeline_with_its_error() {
    let (queue, faults, log) = (MemoryQueue::new(), Faults::new(), Log::default());
    queue.enqueue_all(0..3);
    faults.fail_leases(1);
    let record = record_data(&log);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .restart_sources(Restart::never())
        .step(Step::new("record").concurrency(1), record)
        .start()
        .unwrap();
    let error = within(pipeline.join()).await.unwrap_err().to_string();
    assert!(error.contains("the connection is gone"), "{error}");
    assert!(error.contains("numbers/source#0"), "{error}");
    assert_eq!(pipeline.ledger().in_flight, 0, "{}", pipeline.ledger());
    assert_eq!(queue.counts().leased, 0, "{:?}", queue.counts());
}

#[tokio::test(start_paused = true)]
async fn b023_a_source_is_closed_once_after_the_last_settlement() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..30_u64);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("pass").concurrency(1), pass)
        .batcher(Batcher::new("all").size(10), || {
            stage_pipeline::async_batch_handler_fn(|_: &mut stage_pipeline::MessageBatch<u64>| {
                Box::pin(async {
                    tokio::time::sleep(secs(5)).await;
                    Ok(())
                })
            })
        })
        .start()
        .unwrap();
    tokio::time::sleep(secs(1)).await;
    within(pipeline.drain(secs(60))).await.unwrap();
    let calls = faults.calls();
    assert_eq!(calls.first(), Some(&Call::Open));
    assert_eq!(calls.last(), Some(&Call::Close));
    let count = |call: &Call| calls.iter().filter(|other| *other == call).count();
    assert_eq!(
        (count(&Call::Drain), count(&Call::Close)),
        (1, 1),
        "{calls:?}"
    );
    assert_eq!(queue.counts().leased, 0);
}

#[tokio::test(start_paused = true)]
async fn b024_a_source_without_close_ends() {
    let queue = MemoryQueue::<u64>::new();
    queue.enqueue_all(0..3);
    queue.close();
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .step("pass", pass)
        .start()
        .unwrap();
    assert_eq!(ended(&pipeline).await.acked, 3);
}

#[tokio::test(start_paused = true)]
async fn b045_messages_from_outside_are_handled_batched_and_acked() {
    let queue = MemoryQueue::new();
    let (handled, seen) = (Log::default(), Log::default());
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .step(Step::new("record").concurrency(1), record_data(&handled))
        .batcher(Batcher::new("all").size(2), batches(&seen))
        .start()
        .unwrap();
    queue.enqueue_all([1, 3]);
    tokio::time::sleep(ms(1)).await;
    assert_eq!(handled.all(), [1, 3]);
    assert_eq!(seen.all()[0].data, [1, 3]);
    assert_eq!((pipeline.ledger().acked, queue.counts().acked), (2, 2));
}

/// Fails, or panics, once.
fn fails_once(log: &Log<u64>) -> impl Fn() -> Box<dyn FnMut(u64) -> bool + Send> + use<> {
    let log = log.clone();
    move || {
        let log = log.clone();
        Box::new(move |number| {
            log.push(number);
            log.all().iter().filter(|known| **known == number).count() == 1
        })
    }
}

#[tokio::test(start_paused = true)]
async fn b097_b098_a_source_that_panics_is_made_again_alone_and_steps_go_on() {
    let (queue, faults, log) = (MemoryQueue::new(), Faults::new(), Log::default());
    let made = Log::default();
    let makes = made.clone();
    let record = record_data(&log);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("record").concurrency(2), move || {
            makes.push(());
            record()
        })
        .batcher(Batcher::new("all").size(2).timeout(ms(10)), || {
            batch_handler_fn(|_: &mut stage_pipeline::MessageBatch<u64>| Ok(()))
        })
        .start()
        .unwrap();
    queue.enqueue_all(0..2);
    tokio::time::sleep(secs(1)).await;
    faults.panic_leases(1);
    queue.enqueue_all(2..4);
    tokio::time::sleep(secs(1)).await;
    queue.enqueue_all(4..6);
    queue.close();
    let ledger = ended(&pipeline).await;
    assert_eq!(ledger.acked, 6, "{ledger}");
    assert_eq!((faults.sources(), made.len()), (2, 2));
    let mut handled = log.all();
    handled.sort_unstable();
    assert_eq!(handled, [0, 1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn b087_what_changes_the_type_fails_one_message_and_the_source_goes_on() {
    let (queue, faults, tried) = (MemoryQueue::new(), Faults::new(), Log::default());
    queue.enqueue_all(0..10_u64);
    queue.close();
    let first = fails_once(&tried);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .transform(Step::new("text").concurrency(1), move || {
            let mut first = first();
            stage_pipeline::transform_fn(move |message: &mut Message<u64>| {
                if message.data == 3 && first(3) {
                    panic!("no text for 3");
                }
                Ok(message.data.to_string())
            })
        })
        .step(Step::new("pass"), || {
            handler_fn(|_: &mut Message<String>| Ok(()))
        })
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.acked, ledger.retried), (10, 1), "{ledger}");
    assert_eq!(faults.sources(), 1);
    assert_eq!(faults.reasons(), ["the handler panicked: no text for 3"]);
}
