//! Splitters: a batch size that is not a number of messages.

use stage_pipeline::batch::{Split, Splitter, Trigger};
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{AckedPipeline, Batcher, Message, Step, acked, handler_fn};

use crate::support::{Log, Seen, batches, ended, ms, secs, sizes, within};

/// A batch is full when the sum of its numbers is at least `sum`.
fn up_to(sum: u64) -> Splitter<Message<u64>> {
    Splitter::custom(0, move |so_far: &mut u64, message: &Message<u64>| {
        *so_far += message.data;
        match *so_far >= sum {
            true => Split::After,
            false => Split::Continue,
        }
    })
}

/// Even numbers to one batcher, odd ones to another; small ones and large ones have
/// different keys.
fn start(queue: &MemoryQueue<u64>, seen: &Log<Seen>) -> AckedPipeline<u64> {
    let source = queue.clone();
    let batcher = |name, sum| Batcher::new(name).split(up_to(sum)).timeout(ms(20));
    acked("numbers")
        .source(move || source.source())
        .step(Step::new("route").concurrency(1), || {
            handler_fn(|message: &mut Message<u64>| {
                message.set_batcher(if message.data % 2 == 1 { "odd" } else { "even" });
                message.set_batch_key(if message.data < 10 { "small" } else { "large" });
                Ok(())
            })
        })
        .batcher(batcher("odd", 5), batches(seen))
        .batcher(batcher("even", 50), batches(seen))
        .start()
        .unwrap()
}

fn left(seen: &Log<Seen>) -> Vec<(Vec<u64>, Trigger)> {
    let all = seen.all();
    all.iter()
        .map(|seen| (seen.data.clone(), seen.trigger))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn b071_a_splitter_counts_for_each_key_and_takes_the_message_that_fills_a_batch() {
    let (queue, seen) = (MemoryQueue::new(), Log::default());
    queue.enqueue_all([2, 12, 4, 14, 8, 26, 40, 36]);
    let pipeline = start(&queue, &seen);
    tokio::time::sleep(ms(1)).await;
    within(pipeline.drain(secs(1))).await.unwrap();
    assert_eq!(
        left(&seen),
        [
            (vec![12, 14, 26], Trigger::Size),
            (vec![40, 36], Trigger::Size),
            (vec![2, 4, 8], Trigger::End),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn b071_a_limit_in_bytes_is_passed_by_a_message_alone_only() {
    let (queue, seen) = (MemoryQueue::new(), Log::default());
    queue.enqueue_all([4, 5, 3, 20, 10, 1]);
    queue.close();
    let batcher = Batcher::new("all").bytes(10, |message: &Message<u64>| message.data as usize);
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .step(Step::new("pass").concurrency(1), crate::support::pass)
        .batcher(batcher, batches(&seen))
        .start()
        .unwrap();
    ended(&pipeline).await;
    let data: Vec<_> = seen.all().into_iter().map(|seen| seen.data).collect();
    assert_eq!(data, [vec![4, 5], vec![3], vec![20], vec![10], vec![1]]);
}

#[tokio::test(start_paused = true)]
async fn b072_each_batcher_has_its_own_splitter_and_the_rest_leaves_at_the_timeout() {
    let (queue, seen) = (MemoryQueue::new(), Log::default());
    queue.enqueue_all([1, 2, 3, 4, 5, 6, 7]);
    let _pipeline = start(&queue, &seen);
    tokio::time::sleep(secs(1)).await;
    let all = seen.all();
    let of = |batcher: &str| {
        let of = all.iter().filter(|seen| seen.batcher == batcher);
        of.map(|seen| (seen.data.clone(), seen.trigger))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of("odd"),
        [(vec![1, 3, 5], Trigger::Size), (vec![7], Trigger::Size),]
    );
    assert_eq!(of("even"), [(vec![2, 4, 6], Trigger::Timeout)]);
    assert_eq!(all.last().unwrap().at, ms(20));
}

#[tokio::test(start_paused = true)]
async fn b073_messages_in_flush_mode_leave_in_smaller_batches() {
    let (queue, seen) = (MemoryQueue::<u64>::new(), Log::default());
    let pipeline = start(&queue, &seen);
    for number in [2, 12, 1] {
        within(pipeline.test_message(number)).await;
    }
    assert_eq!(sizes(&seen), [1, 1, 1]);
    assert!(seen.all().iter().all(|seen| seen.trigger == Trigger::Flush));
}
