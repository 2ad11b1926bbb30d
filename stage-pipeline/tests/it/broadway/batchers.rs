//! Batchers: several of them, batch keys, and when a batch leaves.

use stage_pipeline::batch::Trigger;
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{AckedPipeline, Batcher, Message, Step, Verdict, acked, handler_fn};

use crate::support::{Log, Seen, batches, ended, ms, secs, sizes, within};

/// Routes odd numbers to the batcher `odd`, and others to `even`.
fn by_parity(queue: &MemoryQueue<u64>, seen: &Log<Seen>) -> AckedPipeline<u64> {
    let source = queue.clone();
    acked("numbers")
        .source(move || source.source())
        .step(Step::new("route").concurrency(1), || {
            handler_fn(|message: &mut Message<u64>| {
                message.set_batcher(if message.data % 2 == 1 { "odd" } else { "even" });
                Ok(())
            })
        })
        .batcher(Batcher::new("odd").size(10).timeout(ms(20)), batches(seen))
        .batcher(Batcher::new("even").size(5).timeout(ms(20)), batches(seen))
        .start()
        .unwrap()
}

fn of<'a>(seen: &'a [Seen], batcher: &str) -> Vec<&'a Seen> {
    seen.iter().filter(|seen| seen.batcher == batcher).collect()
}

#[tokio::test(start_paused = true)]
async fn b067_each_batcher_gets_its_messages_in_batches_of_its_size() {
    let (queue, seen) = (MemoryQueue::new(), Log::default());
    queue.enqueue_all(1..=40);
    let pipeline = by_parity(&queue, &seen);
    tokio::time::sleep(ms(1)).await;
    let seen = seen.all();
    let (odd, even) = (of(&seen, "odd"), of(&seen, "even"));
    assert_eq!((odd.len(), even.len()), (2, 4));
    assert!(
        odd.iter()
            .all(|seen| seen.data.len() == 10 && seen.trigger == Trigger::Size)
    );
    assert!(
        even.iter()
            .all(|seen| seen.data.len() == 5 && seen.trigger == Trigger::Size)
    );
    let data: Vec<_> = odd
        .iter()
        .flat_map(|seen| seen.data.iter().copied())
        .collect();
    assert_eq!(data, (1..40).step_by(2).collect::<Vec<_>>());
    assert_eq!(pipeline.ledger().acked, 40);
}

#[tokio::test(start_paused = true)]
async fn b067_messages_that_name_no_batcher_go_to_the_first() {
    let (queue, seen) = (MemoryQueue::<u64>::new(), Log::default());
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .step("pass", crate::support::pass)
        .batcher("one", batches(&seen))
        .batcher("two", batches(&seen))
        .start()
        .unwrap();
    within(pipeline.test_message(7)).await;
    assert_eq!(seen.all()[0].batcher, "one");
}

#[tokio::test(start_paused = true)]
async fn b068_messages_in_flush_mode_leave_at_once_in_one_batcher_and_not_in_the_other() {
    let (queue, seen) = (MemoryQueue::<u64>::new(), Log::default());
    queue.enqueue_all([2, 4]);
    let pipeline = by_parity(&queue, &seen);
    tokio::time::sleep(ms(1)).await;
    let before = tokio::time::Instant::now();
    assert_eq!(within(pipeline.test_message(1)).await.verdict, Verdict::Ack);
    assert_eq!(before.elapsed(), ms(0));
    assert_eq!(sizes(&seen), [1]);
    tokio::time::sleep(ms(20)).await;
    assert_eq!(sizes(&seen), [1, 2]);
    assert_eq!(seen.all()[1].trigger, Trigger::Timeout);
}

/// Gives each number its remainder as batch key.
fn by_remainder(
    queue: &MemoryQueue<u64>,
    seen: &Log<Seen>,
    batcher: Batcher<u64>,
) -> AckedPipeline<u64> {
    let source = queue.clone();
    acked("numbers")
        .source(move || source.source())
        .step(Step::new("key").concurrency(1), || {
            handler_fn(|message: &mut Message<u64>| {
                message.set_batch_key((message.data % 3).to_string());
                Ok(())
            })
        })
        .batcher(batcher, batches(seen))
        .start()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn b069_a_batch_has_messages_of_one_batch_key() {
    let (queue, seen) = (MemoryQueue::new(), Log::default());
    queue.enqueue_all(0..30);
    queue.close();
    let pipeline = by_remainder(&queue, &seen, Batcher::new("all").size(5));
    ended(&pipeline).await;
    let seen = seen.all();
    assert_eq!(seen.len(), 6);
    for seen in &seen {
        let key: u64 = seen.key.as_ref().unwrap().parse().unwrap();
        assert_eq!(seen.data.len(), 5);
        assert!(seen.data.iter().all(|number| number % 3 == key), "{seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn b070_messages_in_flush_mode_leave_in_a_batch_for_each_key() {
    let (queue, seen) = (MemoryQueue::<u64>::new(), Log::default());
    let pipeline = by_remainder(&queue, &seen, Batcher::new("all").timeout(secs(60)));
    let metadata = stage_pipeline::Metadata::new;
    let three = [(0, metadata()), (1, metadata()), (2, metadata())];
    let before = tokio::time::Instant::now();
    within(pipeline.test_messages(three, true)).await;
    assert_eq!(before.elapsed(), ms(0));
    let mut keys: Vec<_> = seen
        .all()
        .iter()
        .map(|seen| seen.key.clone().unwrap())
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, ["0", "1", "2"]);
    assert!(seen.all().iter().all(|seen| seen.trigger == Trigger::Flush));
}

#[tokio::test(start_paused = true)]
async fn b078_in_flush_mode_a_batch_waits_for_nothing() {
    let (queue, seen) = (MemoryQueue::<u64>::new(), Log::default());
    let pipeline = by_parity(&queue, &seen);
    let before = tokio::time::Instant::now();
    for number in 0..4 {
        within(pipeline.test_message(number)).await;
    }
    assert_eq!(before.elapsed(), ms(0));
    assert!(seen.all().iter().all(|seen| seen.trigger == Trigger::Flush));
    assert_eq!(sizes(&seen), [1; 4]);
}

#[tokio::test(start_paused = true)]
async fn b078_one_message_in_flush_mode_takes_those_before_it_along() {
    let (queue, seen) = (MemoryQueue::new(), Log::default());
    queue.enqueue_all([1, 2, 3, 4]);
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .step(Step::new("flush").concurrency(1), || {
            handler_fn(|message: &mut Message<u64>| {
                if message.data == 3 {
                    message.set_flush();
                }
                Ok(())
            })
        })
        .batcher(Batcher::new("all").timeout(secs(60)), batches(&seen))
        .start()
        .unwrap();
    tokio::time::sleep(secs(1)).await;
    within(pipeline.drain(secs(1))).await.unwrap();
    let triggers: Vec<_> = seen
        .all()
        .iter()
        .map(|seen| (seen.data.clone(), seen.trigger))
        .collect();
    assert_eq!(
        triggers,
        [(vec![1, 2, 3], Trigger::Flush), (vec![4], Trigger::End)]
    );
}

#[tokio::test(start_paused = true)]
async fn b079_in_bulk_mode_a_batch_leaves_at_its_size_or_timeout() {
    let (queue, seen) = (MemoryQueue::<u64>::new(), Log::default());
    let pipeline = by_parity(&queue, &seen);
    let settled = within(pipeline.test_batch([2, 4, 6, 8, 10, 12])).await;
    assert!(settled.iter().all(|one| one.verdict == Verdict::Ack));
    let left: Vec<_> = seen
        .all()
        .iter()
        .map(|seen| (seen.data.len(), seen.trigger, seen.at))
        .collect();
    assert_eq!(
        left,
        [(5, Trigger::Size, ms(0)), (1, Trigger::Timeout, ms(20))]
    );
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_counted_from_the_first_message() {
    let (queue, seen) = (MemoryQueue::<u64>::new(), Log::default());
    let _pipeline = by_parity(&queue, &seen);
    tokio::time::sleep(ms(100)).await;
    for number in [2, 4, 6] {
        queue.enqueue(number);
        tokio::time::sleep(ms(9)).await;
    }
    tokio::time::sleep(secs(1)).await;
    let left: Vec<_> = seen
        .all()
        .iter()
        .map(|seen| (seen.data.clone(), seen.at))
        .collect();
    assert_eq!(left, [(vec![2, 4, 6], ms(120))]);
}
