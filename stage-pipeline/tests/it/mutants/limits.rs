//! What a source may lease, and what keeps its leases.

use futures::FutureExt;
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::policy::{Rate, RateLimit};
use stage_pipeline::{Metadata, Step, acked};

use super::script::Script;
use crate::support::{Log, ended, pass, record_data, secs, taking, then, within};

#[tokio::test(start_paused = true)]
async fn permits_for_messages_that_were_not_there_come_back() {
    let (queue, handled) = (MemoryQueue::new(), Log::default());
    let limit = RateLimit::new(Rate::new(10, secs(3_600)).unwrap());
    queue.enqueue_all(0..3_u64);
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .rate_limit(&limit)
        .step("record", record_data(&handled))
        .start()
        .unwrap();
    tokio::time::sleep(secs(1)).await;
    assert_eq!((handled.len(), limit.granted()), (3, 3));
    queue.enqueue_all(3..20);
    tokio::time::sleep(secs(1)).await;
    assert_eq!((handled.len(), limit.granted()), (10, 10));
    within(pipeline.drain(secs(1))).await.unwrap();
}

/// One message that takes long does not keep the source from leasing others.
#[tokio::test(start_paused = true)]
async fn a_source_goes_on_with_half_of_its_messages_unsettled() {
    // It has no timer, so nothing else calls it.
    let script = Script::new((0..10).map(|number| (number, Metadata::new())));
    let source = script.clone();
    let pipeline = acked("numbers")
        .source(move || source.clone())
        .max_in_flight(2)
        // Asks for more than the source may lease.
        .step(Step::new("pass").concurrency(1).max_demand(100), pass)
        .step(Step::new("slow").concurrency(2).max_demand(1), || {
            then(|message| {
                let time = secs(if message.data == 0 { 100 } else { 0 });
                tokio::time::sleep(time).map(Ok).boxed()
            })
        })
        .start()
        .unwrap();
    tokio::time::sleep(secs(50)).await;
    assert_eq!(pipeline.ledger().acked, 9, "{}", pipeline.ledger());
    assert_eq!(ended(&pipeline).await.acked, 10);
}

/// A drain that takes longer than the visibility timeout, which is 30 s.
#[tokio::test(start_paused = true)]
async fn leases_are_extended_while_the_pipeline_drains() {
    let queue = MemoryQueue::new();
    queue.enqueue_all(0..3_u64);
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .step(Step::new("slow").concurrency(1), || taking(secs(100)))
        .start()
        .unwrap();
    tokio::time::sleep(secs(1)).await;
    within(pipeline.drain(secs(1_000))).await.unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.acked, ledger.expired), (3, 0), "{ledger}");
    let counts = queue.counts();
    assert_eq!((counts.acked, counts.stale), (3, 0), "{counts:?}");
}
