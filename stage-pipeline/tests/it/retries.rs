//! Retries that a handler chooses.

use std::time::Duration;

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::policy::Retry;
use stage_pipeline::{Failed, Message, Step, acked, handler_fn};
use tokio::time::{Instant, timeout};

#[tokio::test(start_paused = true)]
async fn a_delay_of_the_handlers_own_does_not_exceed_the_bound_on_deliveries() {
    let queue = MemoryQueue::new();
    queue.enqueue(1_u64);
    queue.close();
    let (source, started) = (queue.clone(), Instant::now());
    let pipeline = acked("numbers")
        .source(move || source.source())
        .retry(Retry::default().max_deliveries(3))
        .step("wait", || {
            handler_fn(|_: &mut Message<u64>| {
                Err(Failed::retry_after(
                    Duration::from_secs(10),
                    "not known yet",
                ))
            })
        })
        .start()
        .unwrap();
    timeout(Duration::from_secs(60), pipeline.join())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(started.elapsed().as_secs(), 20);
    let dead = queue.dead_letters();
    assert_eq!(
        (dead[0].deliveries, dead[0].reason.as_deref()),
        (3, Some("not known yet"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_release_does_not_count_as_a_delivery() {
    let queue = MemoryQueue::new();
    queue.enqueue(1_u64);
    queue.close();
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .retry(Retry::default().max_deliveries(1))
        .step(Step::new("wait").concurrency(1), move || {
            let mut tries_left = 20;
            handler_fn(move |message: &mut Message<u64>| {
                assert_eq!(message.metadata().deliveries(), 1);
                tries_left -= 1;
                if tries_left == 0 {
                    Ok(())
                } else {
                    Err(Failed::release("not here"))
                }
            })
        })
        .start()
        .unwrap();
    timeout(Duration::from_secs(60), pipeline.join())
        .await
        .unwrap()
        .unwrap();
    let ledger = pipeline.ledger();
    assert_eq!((ledger.released, ledger.acked), (19, 1), "{ledger}");
}
