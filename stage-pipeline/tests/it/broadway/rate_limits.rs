//! Rate limits.

use std::time::Duration;

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::policy::{Rate, RateError, RateLimit};
use stage_pipeline::{AckedPipeline, Step, acked};

use crate::support::{Faults, Log, ended, ms, record_data, secs, within};

struct Test {
    queue: MemoryQueue<u64>,
    faults: Faults,
    handled: Log<u64>,
    limit: RateLimit,
    pipeline: AckedPipeline<u64>,
}

/// Permits one by one, without a burst.
fn evenly(permits: u32, per: Duration) -> Rate {
    Rate::new(permits, per).unwrap().with_burst(1).unwrap()
}

fn start(rate: Rate, messages: u64) -> Test {
    let (queue, faults, handled) = (MemoryQueue::new(), Faults::new(), Log::default());
    queue.enqueue_all(0..messages);
    let limit = RateLimit::new(rate);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .rate_limit(&limit)
        .step(Step::new("record").concurrency(2), record_data(&handled))
        .start()
        .unwrap();
    Test {
        queue,
        faults,
        handled,
        limit,
        pipeline,
    }
}

#[tokio::test(start_paused = true)]
async fn b117_so_many_messages_pass_in_each_period() {
    let test = start(evenly(10, secs(1)), 100);
    // In the middle between two permits.
    tokio::time::sleep(ms(50)).await;
    for period in 0..5 {
        assert_eq!(test.handled.len(), 10 * period + 1);
        tokio::time::sleep(secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn b117_a_burst_passes_at_once() {
    let test = start(Rate::per_second(10), 100);
    tokio::time::sleep(ms(50)).await;
    assert_eq!(test.handled.len(), 10);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(test.handled.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn b118_messages_beyond_the_limit_are_not_leased() {
    let test = start(Rate::per_second(3), 100);
    tokio::time::sleep(ms(50)).await;
    let counts = test.queue.counts();
    assert_eq!(
        (counts.waiting, counts.deliveries, counts.leased),
        (97, 3, 0),
        "{counts:?}"
    );
    assert_eq!(test.limit.granted(), 3);
    let text = test.pipeline.explain(ms(10)).to_string();
    assert!(text.contains("the rate limit"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn b119_demand_beyond_the_limit_is_served_when_the_limit_allows() {
    let test = start(Rate::closed(), 25);
    tokio::time::sleep(secs(100)).await;
    assert_eq!(test.handled.len(), 0);
    test.limit.set(Rate::per_second(1_000));
    test.queue.close();
    assert_eq!(ended(&test.pipeline).await.acked, 25);
    assert_eq!(test.queue.counts().deliveries, 25);
}

#[tokio::test(start_paused = true)]
async fn b120_the_limit_holds_in_a_drain_and_nothing_waits_for_it() {
    let test = start(evenly(1, secs(60)), 10);
    tokio::time::sleep(secs(90)).await;
    let before = tokio::time::Instant::now();
    within(test.pipeline.drain(secs(600))).await.unwrap();
    assert_eq!(before.elapsed(), ms(0));
    let counts = test.queue.counts();
    assert_eq!((counts.acked, counts.waiting), (2, 8), "{counts:?}");
    assert_eq!(test.faults.most_in_flight(), 1);
}

#[tokio::test(start_paused = true)]
async fn b121_the_limit_can_be_read_and_changed_at_once_without_a_burst() {
    let test = start(evenly(1, secs(60)), 100);
    assert_eq!(test.limit.rate(), evenly(1, secs(60)));
    tokio::time::sleep(secs(1)).await;
    assert_eq!(test.handled.len(), 1);
    test.limit.set(evenly(10, secs(1)));
    assert_eq!(test.limit.rate(), evenly(10, secs(1)));
    tokio::time::sleep(ms(1_050)).await;
    assert!(
        (10..=11).contains(&test.handled.len()),
        "{}",
        test.handled.len()
    );
    test.limit.set(Rate::closed());
    let closed = test.handled.len();
    tokio::time::sleep(secs(100)).await;
    assert_eq!(test.handled.len(), closed);
}

#[tokio::test(start_paused = true)]
async fn b122_an_invalid_rate_is_a_typed_error() {
    let error = Rate::new(1, Duration::ZERO).unwrap_err();
    assert!(matches!(error, RateError::Period { .. }));
    assert!(
        error
            .to_string()
            .contains("0ns, but must be between 1ns and 24h"),
        "{error}"
    );
    let error = Rate::per_second(5).with_burst(0).unwrap_err();
    assert!(matches!(error, RateError::Burst { permits: 5 }));
}

#[tokio::test(start_paused = true)]
async fn one_limit_may_be_that_of_several_pipelines() {
    let limit = RateLimit::new(Rate::per_second(10));
    let tests: Vec<_> = (0..3)
        .map(|_| {
            let queue = MemoryQueue::new();
            queue.enqueue_all(0..100_u64);
            acked("numbers")
                .source(move || queue.source())
                .rate_limit(&limit)
                .step("pass", crate::support::pass)
                .start()
                .unwrap()
        })
        .collect();
    tokio::time::sleep(ms(10_050)).await;
    let acked: u64 = tests.iter().map(|pipeline| pipeline.ledger().acked).sum();
    assert_eq!(acked, 110);
}
