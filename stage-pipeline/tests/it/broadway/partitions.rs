//! Partitions: messages of one key keep their order, in one member.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{Batcher, Failed, Handler, Message, Step, acked};

use crate::support::{Log, Seen, batches, ended, ms};

/// Keeps which member handled which number, after a time that varies.
struct Member {
    number: usize,
    log: Log<(usize, u64)>,
    key: fn(u64) -> Option<u64>,
}

impl Handler for Member {
    type Data = u64;

    async fn handle(&mut self, message: &mut Message<u64>) -> Result<(), Failed> {
        tokio::time::sleep(ms(message.data * 7 % 5)).await;
        if let Some(key) = (self.key)(message.data) {
            message.set_batch_key(key.to_string());
        }
        self.log.push((self.number, message.data));
        Ok(())
    }
}

fn members(
    log: &Log<(usize, u64)>,
    key: fn(u64) -> Option<u64>,
) -> impl Fn() -> Member + Send + Sync + 'static {
    let (log, made) = (log.clone(), Arc::new(AtomicUsize::new(0)));
    move || Member {
        number: made.fetch_add(1, Relaxed),
        log: log.clone(),
        key,
    }
}

const fn none(_: u64) -> Option<u64> {
    None
}

fn queue_of(numbers: std::ops::Range<u64>) -> MemoryQueue<u64> {
    let queue = MemoryQueue::new();
    queue.enqueue_all(numbers);
    queue.close();
    queue
}

/// Checks that the numbers of each key were handled by one member, in order.
fn assert_in_order(handled: &[(usize, u64)], key: fn(u64) -> u64) {
    let mut last: HashMap<u64, (usize, u64)> = HashMap::new();
    for &(member, number) in handled {
        if let Some((before, smaller)) = last.insert(key(number), (member, number)) {
            assert_eq!(before, member, "{number} of {}", key(number));
            assert!(smaller < number, "{number} after {smaller}");
        }
    }
}

const fn key(number: u64) -> u64 {
    number % 7
}

#[tokio::test(start_paused = true)]
async fn b074_one_member_handles_all_messages_of_a_key_in_order() {
    let (queue, log) = (queue_of(0..200), Log::default());
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .partition_by(|message: &Message<u64>| key(message.data))
        .step(Step::new("one").concurrency(4), members(&log, none))
        .start()
        .unwrap();
    ended(&pipeline).await;
    let handled = log.all();
    assert_eq!(handled.len(), 200);
    assert_in_order(&handled, key);
    let busy: std::collections::BTreeSet<_> = handled.iter().map(|(member, _)| member).collect();
    assert!(busy.len() > 1, "all in one member");
}

fn handled_in_batches(seen: &[Seen]) -> Vec<(usize, u64)> {
    let numbers = seen
        .iter()
        .flat_map(|seen| seen.data.iter().map(|number| (seen.handler, *number)));
    numbers.collect()
}

#[tokio::test(start_paused = true)]
async fn b075_one_batch_handler_handles_all_batches_of_a_key_in_order() {
    let (queue, log, seen) = (queue_of(0..200), Log::default(), Log::default());
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .partition_by(|message: &Message<u64>| key(message.data))
        .step(Step::new("one").concurrency(4), members(&log, none))
        .batcher(
            Batcher::new("all").size(4).concurrency(3).timeout(ms(10)),
            batches(&seen),
        )
        .start()
        .unwrap();
    ended(&pipeline).await;
    let seen = seen.all();
    let handled = handled_in_batches(&seen);
    assert_eq!(handled.len(), 200);
    assert_in_order(&handled, key);
    assert!(seen.iter().any(|seen| seen.handler != 0));
}

#[tokio::test(start_paused = true)]
async fn b076_a_batch_has_messages_of_one_partition_and_one_batch_key() {
    let (queue, log, seen) = (queue_of(0..200), Log::default(), Log::default());
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .partition_by(|message: &Message<u64>| message.data % 2)
        .step(
            Step::new("one").concurrency(2),
            members(&log, |number| Some(number % 5)),
        )
        .batcher(Batcher::new("all").size(10).concurrency(2), batches(&seen))
        .start()
        .unwrap();
    ended(&pipeline).await;
    let seen = seen.all();
    assert_eq!(handled_in_batches(&seen).len(), 200);
    let mut partition_of = HashMap::new();
    for seen in &seen {
        let batch_key: u64 = seen.key.as_ref().unwrap().parse().unwrap();
        assert!(
            seen.data.iter().all(|number| number % 5 == batch_key),
            "{seen:?}"
        );
        for number in &seen.data {
            let partition = *partition_of.entry(number % 2).or_insert(seen.partition);
            assert_eq!(partition, seen.partition, "{seen:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn b077_steps_and_batchers_may_have_a_key_each() {
    let (queue, log, seen) = (queue_of(0..200), Log::default(), Log::default());
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .partition_by(|message: &Message<u64>| message.data / 100)
        .step(Step::new("one").concurrency(2), members(&log, none))
        .partition_by(|message: &Message<u64>| message.data % 3)
        .batcher(
            Batcher::new("all").size(4).concurrency(3).timeout(ms(10)),
            batches(&seen),
        )
        .start()
        .unwrap();
    ended(&pipeline).await;
    assert_in_order(&log.all(), |number| number / 100);
    let seen = seen.all();
    let mut handler_of = HashMap::new();
    for (handler, number) in handled_in_batches(&seen) {
        assert_eq!(*handler_of.entry(number % 3).or_insert(handler), handler);
    }
}
