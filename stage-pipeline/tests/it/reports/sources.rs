//! Sources that fail, and several of them.

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{Batcher, Step, Verdict, acked};

use crate::support::{
    Call, Counting, Faults, Log, Traced, batches, ended, ms, pass, record_data, secs, taking,
    within,
};

/// Broadway RabbitMQ PR 122: the pipeline never resumes after a connection was refused.
#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_open_tries_again_without_end() {
    let (traced, _guard) = Traced::listen();
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..10_u64);
    queue.close();
    faults.fail_opens(50);
    let before = tokio::time::Instant::now();
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step("pass", pass)
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (10, 10), "{ledger}");
    assert_eq!(faults.sources(), 51);
    // The delays grow, up to 30 s.
    assert!(before.elapsed() > secs(300), "{:?}", before.elapsed());
    assert_eq!(
        faults
            .calls()
            .iter()
            .filter(|call| **call == Call::Open)
            .count(),
        51
    );
    assert!(traced.lines("the broker is away").len() >= 50);
}

/// A source that leases, and fails, each time: what it has leased is delivered.
#[tokio::test(start_paused = true)]
async fn messages_leased_before_an_error_are_delivered_once() {
    let (queue, faults, handled) = (MemoryQueue::new(), Faults::new(), Log::default());
    queue.enqueue_all(0..100_u64);
    queue.close();
    faults.fail_leases(5);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("record").concurrency(1), record_data(&handled))
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (100, 100), "{ledger}");
    assert_eq!(faults.sources(), 6);
    assert_eq!(handled.all(), (0..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_fails_brings_a_new_source_that_extends_the_leases() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..3_u64);
    queue.close();
    faults.fail_heartbeats(1);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("slow").concurrency(1), || taking(secs(100)))
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (3, 3), "{ledger}");
    assert_eq!(faults.sources(), 2);
}

#[tokio::test(start_paused = true)]
async fn messages_leased_before_a_panic_are_given_back() {
    let (queue, faults, handled) = (MemoryQueue::new(), Faults::new(), Log::default());
    queue.enqueue_all(0..100_u64);
    queue.close();
    faults.panic_leases(5);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("record").concurrency(1), record_data(&handled))
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!(ledger.acked, 100, "{ledger}");
    assert_eq!(ledger.leased, ledger.acked + ledger.released, "{ledger}");
    let mut all = handled.all();
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_goes_on_with_the_other_source_when_one_ends() {
    let (queue, seen) = (MemoryQueue::new(), Log::default());
    queue.enqueue_all(1_000..1_005);
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(|| Counting::up_to(5))
        .source(move || source.source())
        .step("pass", pass)
        .batcher(Batcher::new("all").timeout(ms(10)), batches(&seen))
        .start()
        .unwrap();
    tokio::time::sleep(secs(60)).await;
    let ended_stages = || {
        let snapshot = pipeline.snapshot();
        snapshot
            .stages
            .iter()
            .filter(|stage| stage.outcome.is_some())
            .count()
    };
    assert_eq!((pipeline.ledger().acked, ended_stages()), (10, 1));
    queue.enqueue_all(1_005..1_010);
    // Test messages go to the first source, which has ended: they are given back.
    let verdict = within(pipeline.test_message(1)).await.verdict;
    assert_eq!(verdict, Verdict::Release);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(pipeline.ledger().acked, 15);
    queue.close();
    assert_eq!(ended(&pipeline).await.acked, 15);
}

/// Broadway 97: each processor asks each producer for its whole demand.
#[tokio::test(start_paused = true)]
async fn no_member_holds_more_than_it_asked_each_source_for() {
    let queues: Vec<_> = (0..5).map(|_| MemoryQueue::new()).collect();
    let faults: Vec<_> = (0..5).map(|_| Faults::new()).collect();
    let mut numbers = acked("numbers");
    for (queue, faults) in queues.iter().zip(&faults) {
        queue.enqueue_all(0..200_u64);
        queue.close();
        numbers = numbers.source(faults.source(queue));
    }
    let pipeline = numbers
        .step(Step::new("slow").concurrency(10).max_demand(1), || {
            taking(ms(100))
        })
        .start()
        .unwrap();
    let before = tokio::time::Instant::now();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (1_000, 1_000), "{ledger}");
    for faults in &faults {
        assert!(faults.most_in_flight() <= 10, "{}", faults.most_in_flight());
    }
    // All members were busy, but for the last messages.
    assert!(before.elapsed() <= ms(10_500), "{:?}", before.elapsed());
}

/// Leases are limited in number for each source.
#[tokio::test(start_paused = true)]
async fn max_in_flight_limits_each_source() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..500_u64);
    queue.close();
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .max_in_flight(7)
        .step(Step::new("pass").concurrency(4), pass)
        .batcher(
            Batcher::new("all").size(5).timeout(ms(10)),
            batches(&Log::default()),
        )
        .start()
        .unwrap();
    assert_eq!(ended(&pipeline).await.acked, 500);
    assert!(faults.most_in_flight() <= 7, "{}", faults.most_in_flight());
}
