//! A pipeline whose last step acknowledges.

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::policy::Retry;
use stage_pipeline::{Message, Step, Verdict, acked, async_handler_fn, handler_fn};

use crate::support::{Faults, ended, ms, secs, within};

#[tokio::test(start_paused = true)]
async fn b064_b065_the_last_step_acks_what_is_handled_and_fails_the_rest() {
    let queue = MemoryQueue::<u64>::new();
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .retry(Retry::never())
        .step("even", || {
            handler_fn(|message: &mut Message<u64>| match message.data % 2 {
                0 => Ok(()),
                _ => Err("odd".into()),
            })
        })
        .start()
        .unwrap();
    let settled = within(pipeline.test_batch([2, 3, 4])).await;
    let verdicts: Vec<_> = settled.iter().map(|one| one.verdict).collect();
    assert_eq!(verdicts, [Verdict::Ack, Verdict::Reject, Verdict::Ack]);
    assert_eq!(settled[1].reason.as_deref(), Some("odd"));
}

#[tokio::test(start_paused = true)]
async fn b066_a_drain_handles_what_was_leased_and_leases_no_more() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..100_u64);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("slow").concurrency(2).max_demand(4), || {
            async_handler_fn(|_: &mut Message<u64>| {
                Box::pin(async {
                    tokio::time::sleep(ms(10)).await;
                    Ok(())
                })
            })
        })
        .start()
        .unwrap();
    tokio::time::sleep(ms(25)).await;
    let leased = pipeline.ledger().leased;
    assert!(pipeline.ledger().in_flight > 0);
    within(pipeline.drain(secs(10))).await.unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (leased, leased), "{ledger}");
    let counts = queue.counts();
    assert_eq!(counts.waiting as u64, 100 - leased, "{counts:?}");
    assert_eq!(
        (counts.leased, counts.deliveries),
        (0, leased),
        "{counts:?}"
    );
}
