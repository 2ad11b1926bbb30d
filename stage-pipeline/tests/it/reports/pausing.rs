//! Handlers that take long, and pipelines that pause.

use stage_pipeline::memory::{MemoryOptions, MemoryQueue};
use stage_pipeline::policy::{Rate, RateLimit};
use stage_pipeline::{Step, acked};

use crate::support::{Faults, ended, ms, secs, taking};

/// Broadway 335: a handler that takes longer than the visibility timeout runs twice.
#[tokio::test(start_paused = true)]
async fn a_message_is_delivered_once_however_long_its_handler_takes() {
    let options = MemoryOptions::new().visibility(secs(30));
    let (queue, faults) = (MemoryQueue::with_options(options), Faults::new());
    queue.enqueue_all(0..3_u64);
    queue.close();
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("slow").concurrency(1), || taking(secs(300)))
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (3, 3), "{ledger}");
    assert_eq!(queue.counts().deliveries, 3);
}

/// Broadway 177, Broadway Kafka 56: to pause and go on without a stop.
#[tokio::test(start_paused = true)]
async fn a_closed_rate_pauses_a_pipeline_and_nothing_comes_again() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..1_000_u64);
    let limit = RateLimit::new(Rate::per_second(100));
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .rate_limit(&limit)
        .step("slow", || taking(ms(10)))
        .start()
        .unwrap();
    tokio::time::sleep(secs(2)).await;
    limit.set(Rate::closed());
    tokio::time::sleep(secs(100)).await;
    let paused = pipeline.ledger();
    assert_eq!(
        (paused.in_flight, paused.leased),
        (0, paused.acked),
        "{paused}"
    );
    let text = pipeline.explain(ms(100)).to_string();
    assert!(
        text.contains("numbers/source#0") && text.contains("the rate limit"),
        "{text}"
    );
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(pipeline.ledger(), paused);
    limit.set(Rate::per_second(1_000));
    queue.close();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (1_000, 1_000), "{ledger}");
}
