//! How messages are spread over the members of a step.

use std::time::Duration;

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{Message, Step, Verdict, acked};

use crate::support::{Log, ended, ms, secs, taking, then, within};

/// How long ten messages take that were leased at once.
async fn time_for_ten(max_demand: usize) -> Duration {
    let queue = MemoryQueue::new();
    queue.enqueue_all(0..10_u64);
    queue.close();
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .step(
            Step::new("slow").concurrency(10).max_demand(max_demand),
            || taking(secs(1)),
        )
        .start()
        .unwrap();
    let before = tokio::time::Instant::now();
    ended(&pipeline).await;
    before.elapsed()
}

/// Broadway SQS 66: the messages of one poll all go to one processor.
#[tokio::test(start_paused = true)]
async fn a_small_demand_spreads_messages_over_all_members() {
    assert_eq!(time_for_ten(1).await, secs(1));
    // With the default demand the first member asks for ten.
    assert_eq!(time_for_ten(10).await, secs(10));
}

#[tokio::test(start_paused = true)]
async fn explain_names_the_busy_member() {
    let queue = MemoryQueue::new();
    queue.enqueue_all(0..10_u64);
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .step(Step::new("slow").concurrency(10), || taking(secs(60)))
        .start()
        .unwrap();
    tokio::time::sleep(secs(30)).await;
    let text = pipeline.explain(secs(1)).to_string();
    assert!(text.contains("numbers/slow#0"), "{text}");
}

/// Broadway Kafka 89: a flood to one partition starves the others.
#[tokio::test(start_paused = true)]
async fn other_keys_go_on_behind_a_slow_key_up_to_the_queue_of_a_partition() {
    let queue = MemoryQueue::new();
    // Fewer than wait for a partition before it holds up the others.
    queue.enqueue_all(std::iter::repeat_n(0, 90).chain(1..=80));
    queue.close();
    let handled = Log::default();
    let log = handled.clone();
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .partition_by(|message: &Message<u64>| message.data)
        .step(Step::new("slow").concurrency(8), move || {
            let log = log.clone();
            then(move |message| {
                let (log, number) = (log.clone(), message.data);
                Box::pin(async move {
                    if number == 0 {
                        tokio::time::sleep(secs(1)).await;
                    }
                    log.push(number);
                    Ok(())
                })
            })
        })
        .start()
        .unwrap();
    tokio::time::sleep(secs(20)).await;
    let handled = handled.all();
    let others = handled.iter().filter(|number| **number > 0).count();
    // Those that share the partition of the slow key wait.
    assert!(others >= 60, "{handled:?}");
    assert_eq!(ended(&pipeline).await.acked, 170);
}

/// faktory_worker 30, checked with Broadway 1.3: of 12,000 messages that were pushed 1,990
/// were discarded.
#[tokio::test(start_paused = true)]
async fn nothing_is_discarded_however_much_is_pushed() {
    let queue = MemoryQueue::new();
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .step(Step::new("slow").concurrency(1), || taking(ms(1)))
        .start()
        .unwrap();
    queue.enqueue_all(0..12_000_u64);
    let settled = within(pipeline.test_batch(0..12_000)).await;
    assert!(settled.iter().all(|one| one.verdict == Verdict::Ack));
    queue.close();
    assert_eq!(ended(&pipeline).await.acked, 12_000);
    let discarded: u64 = pipeline
        .snapshot()
        .stages
        .iter()
        .map(|stage| stage.stats.discarded)
        .sum();
    assert_eq!(discarded, 0);
}
