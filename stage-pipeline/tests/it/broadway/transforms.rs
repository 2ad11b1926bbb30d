//! Steps that change the type of the data, in place of Broadway's transformer.

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{
    AckedPipeline, Failed, Message, Step, Verdict, acked, expand_fn, handler_fn, transform_fn,
};

use crate::support::{Log, ended, ms, secs, within};

/// Parses texts, and keeps the numbers.
fn parsing(queue: &MemoryQueue<&'static str>, numbers: &Log<u64>) -> AckedPipeline<&'static str> {
    let (source, numbers) = (queue.clone(), numbers.clone());
    acked("numbers")
        .source(move || source.source())
        .transform(Step::new("parse").concurrency(1), || {
            transform_fn(|message: &mut Message<&'static str>| {
                message.data.parse::<u64>().map_err(Failed::reject)
            })
        })
        .step(Step::new("record").concurrency(1), move || {
            let numbers = numbers.clone();
            handler_fn(move |message: &mut Message<u64>| {
                numbers.push(message.data);
                Ok(())
            })
        })
        .start()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn b017_b022_b084_b085_b086_all_messages_are_transformed_wherever_they_come_from() {
    let (queue, numbers) = (MemoryQueue::new(), Log::default());
    queue.enqueue_all(["1", "2"]);
    let pipeline = parsing(&queue, &numbers);
    tokio::time::sleep(ms(1)).await;
    queue.enqueue_all(["3"]);
    tokio::time::sleep(ms(1)).await;
    let settled = within(pipeline.test_message("4")).await;
    assert_eq!(settled.verdict, Verdict::Ack);
    assert_eq!(numbers.all(), [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn b017_the_failure_of_a_transform_is_that_of_one_message() {
    let (queue, numbers) = (MemoryQueue::new(), Log::default());
    queue.enqueue_all(["1", "two", "3"]);
    queue.close();
    let pipeline = parsing(&queue, &numbers);
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.acked, ledger.rejected), (2, 1), "{ledger}");
    assert_eq!(numbers.all(), [1, 3]);
    let dead = queue.dead_letters();
    assert_eq!((dead.len(), dead[0].data), (1, "two"));
    assert_eq!(
        dead[0].reason.as_deref(),
        Some("invalid digit found in string")
    );
}

#[tokio::test(start_paused = true)]
async fn parts_of_a_message_settle_it_with_the_worst_verdict() {
    let queue = MemoryQueue::new();
    queue.enqueue_all(["1 2 3", "4 five 6", "", "7 8"]);
    queue.close();
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .expand(Step::new("words"), || {
            expand_fn(|message: &mut Message<&'static str>| {
                Ok(message.data.split_whitespace().collect())
            })
        })
        .transform(Step::new("parse"), || {
            transform_fn(|message: &mut Message<&'static str>| {
                message.data.parse::<u64>().map_err(Failed::reject)
            })
        })
        .step("pass", || handler_fn(|_: &mut Message<u64>| Ok(())))
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.acked, ledger.rejected), (3, 1), "{ledger}");
    assert_eq!(queue.dead_letters()[0].data, "4 five 6");
}

#[tokio::test(start_paused = true)]
async fn an_expand_that_fails_makes_no_part() {
    let queue = MemoryQueue::new();
    queue.enqueue_all(["1 2 3"]);
    queue.close();
    let source = queue.clone();
    let parts = Log::default();
    let made = parts.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .expand(Step::new("words"), || {
            expand_fn(|message: &mut Message<&'static str>| {
                if message.metadata().deliveries() == 1 {
                    panic!("not now");
                }
                Ok(message.data.split_whitespace().collect::<Vec<_>>())
            })
        })
        .step(Step::new("record").concurrency(1), move || {
            let made = made.clone();
            handler_fn(move |message: &mut Message<&'static str>| {
                made.push(message.data);
                Ok(())
            })
        })
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!(
        (ledger.leased, ledger.acked, ledger.retried),
        (2, 1, 1),
        "{ledger}"
    );
    assert_eq!(parts.all(), ["1", "2", "3"]);
    within(pipeline.drain(secs(1))).await.unwrap();
}
