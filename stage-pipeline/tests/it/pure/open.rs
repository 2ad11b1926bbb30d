//! Open batches: what makes them leave, and in which order.

use std::time::{Duration, Instant};

use stage_pipeline::batch::{BatchLimitError, OpenBatches, ReadyBatch, Splitter, Trigger};

use super::{MS, SECOND};

type Open = OpenBatches<u32, &'static str>;

fn open(size: usize, max_open: usize) -> Open {
    OpenBatches::new(Splitter::count(size).unwrap(), Some(SECOND), max_open).unwrap()
}

fn left<K: Copy>(out: &[ReadyBatch<u32, K>]) -> Vec<(K, Trigger, Vec<u32>)> {
    let parts = |batch: &ReadyBatch<u32, K>| (batch.key, batch.trigger, batch.items.clone());
    out.iter().map(parts).collect()
}

/// redpanda-data/connect 1169, JasperFx/jasperfx PR 533: a timer that begins anew
/// with each message keeps a batch open for as long as messages come.
#[test]
fn the_timeout_counts_from_the_first_message() {
    let (start, mut open, mut out) = (Instant::now(), open(100, 1000), Vec::new());
    for item in 0..10 {
        let now = start + item * 99 * MS;
        open.push(now, "a", 0, item, false, &mut out);
        open.due(now, &mut out);
    }
    assert!(out.is_empty());
    assert_eq!(open.next_due(start + 891 * MS), Some(109 * MS));
    open.due(start + SECOND - Duration::from_nanos(1), &mut out);
    assert!(out.is_empty());
    open.due(start + SECOND, &mut out);
    assert_eq!(left(&out), [("a", Trigger::Timeout, (0..10).collect())]);
    assert_eq!(out[0].opened, start);
}

/// IBM/sarama PR 389: a timer that runs while there is no batch makes the first
/// message leave alone, and at once.
#[test]
fn no_time_passes_while_no_batch_is_open() {
    let (start, mut open, mut out) = (Instant::now(), open(100, 1000), Vec::new());
    assert_eq!(open.next_due(start), None);
    open.due(start + 10 * SECOND, &mut out);
    let now = start + 10 * SECOND + 999 * MS;
    open.push(now, "a", 0, 1, false, &mut out);
    assert_eq!(open.next_due(now), Some(SECOND));
    open.due(start + 11 * SECOND, &mut out);
    assert!(out.is_empty());
}

/// Fault 30: a size trigger races a time trigger.
#[test]
fn a_timer_of_a_batch_that_left_does_not_cut_the_next_one() {
    let (start, mut open, mut out) = (Instant::now(), open(2, 1000), Vec::new());
    open.push(start, "a", 0, 1, false, &mut out);
    let full = start + SECOND - MS;
    open.push(full, "a", 0, 2, false, &mut out);
    open.push(full, "a", 0, 3, false, &mut out);
    // The timer of the first batch fires now.
    open.due(start + SECOND, &mut out);
    assert_eq!(left(&out), [("a", Trigger::Size, vec![1, 2])]);
    open.due(full + SECOND, &mut out);
    assert_eq!(left(&out[1..]), [("a", Trigger::Timeout, vec![3])]);
}

/// The other order: the time trigger wins, and the message that would have filled
/// the batch begins the next one.
#[test]
fn a_message_after_the_timeout_begins_a_batch() {
    let (start, mut open, mut out) = (Instant::now(), open(2, 1000), Vec::new());
    open.push(start, "a", 0, 1, false, &mut out);
    open.due(start + SECOND, &mut out);
    open.push(start + SECOND, "a", 0, 2, false, &mut out);
    assert_eq!(left(&out), [("a", Trigger::Timeout, vec![1])]);
    assert_eq!(open.len(), 1);
}

/// elixir-broadway/broadway 178: are batches of one key only?
#[test]
fn keys_and_partitions_have_batches_of_their_own() {
    let (now, mut open, mut out) = (Instant::now(), open(2, 1000), Vec::new());
    for (item, (key, partition)) in [("a", 0), ("b", 0), ("a", 1), ("b", 0), ("a", 0)]
        .into_iter()
        .enumerate()
    {
        open.push(now, key, partition, item as u32, false, &mut out);
    }
    assert_eq!(
        left(&out),
        [
            ("b", Trigger::Size, vec![1, 3]),
            ("a", Trigger::Size, vec![0, 4])
        ]
    );
    assert_eq!((out[1].partition, open.len(), open.batches()), (0, 1, 1));
}

/// vectordotdev/vector PR 9004: each batch has its own timeout.
#[test]
fn timeouts_are_those_of_each_batch_and_come_in_order() {
    let (start, mut open, mut out) = (Instant::now(), open(3, 1000), Vec::new());
    open.push(start, "a", 0, 1, false, &mut out);
    open.push(start + 300 * MS, "b", 0, 2, false, &mut out);
    open.push(start + 600 * MS, "c", 0, 3, false, &mut out);
    open.due(start + SECOND + 299 * MS, &mut out);
    assert_eq!(left(&out), [("a", Trigger::Timeout, vec![1])]);
    assert_eq!(open.next_due(start + SECOND), Some(300 * MS));
    open.due(start + 10 * SECOND, &mut out);
    assert_eq!(
        out.iter().map(|batch| batch.key).collect::<Vec<_>>(),
        ["a", "b", "c"]
    );
}

#[test]
fn a_flush_takes_the_batch_of_its_message_only() {
    let (now, mut open, mut out) = (Instant::now(), open(3, 1000), Vec::new());
    open.push(now, "a", 0, 1, false, &mut out);
    open.push(now, "b", 0, 2, false, &mut out);
    open.push(now, "a", 0, 3, true, &mut out);
    open.push(now, "c", 0, 4, true, &mut out);
    assert_eq!(
        left(&out),
        [
            ("a", Trigger::Flush, vec![1, 3]),
            ("c", Trigger::Flush, vec![4])
        ]
    );
    assert_eq!(open.flush(&"b", 0).unwrap().items, [2]);
    assert!(open.flush(&"b", 0).is_none() && open.is_empty());
}

#[test]
fn at_the_bound_the_oldest_batch_leaves() {
    let (now, mut open, mut out) = (Instant::now(), open(100, 4), Vec::new());
    for (item, key) in ["a", "b", "a", "c"].into_iter().enumerate() {
        open.push(now, key, 0, item as u32, false, &mut out);
    }
    assert_eq!(left(&out), [("a", Trigger::Pressure, vec![0, 2])]);
    assert_eq!(open.len(), 2);
    let mut one = self::open(100, 1);
    out.clear();
    one.push(now, "a", 0, 1, false, &mut out);
    assert_eq!(left(&out), [("a", Trigger::Pressure, vec![1])]);
}

#[test]
fn at_the_end_all_leave_oldest_first() {
    let (now, mut open, mut out) = (Instant::now(), open(3, 1000), Vec::new());
    for (item, key) in ["c", "a", "b", "c", "c", "c"].into_iter().enumerate() {
        open.push(now, key, 0, item as u32, false, &mut out);
    }
    open.end(&mut out);
    let keys: Vec<_> = out.iter().map(|batch| (batch.key, batch.trigger)).collect();
    let end = Trigger::End;
    assert_eq!(
        keys,
        [("c", Trigger::Size), ("a", end), ("b", end), ("c", end)]
    );
    assert!(open.is_empty() && open.next_due(now).is_none());
}

#[test]
fn a_clock_that_goes_back_cuts_no_batch_short() {
    let start = Instant::now() + 100 * SECOND;
    let (mut open, mut out) = (open(3, 1000), Vec::new());
    open.push(start, "a", 0, 1, false, &mut out);
    let back = start - 50 * SECOND;
    open.push(back, "b", 0, 2, false, &mut out);
    open.due(back + SECOND, &mut out);
    assert!(out.is_empty(), "the first batch is not due");
    open.flush(&"a", 0);
    assert_eq!(open.next_due(back + 400 * MS), Some(600 * MS));
}

#[test]
fn a_batch_has_room_for_as_many_as_the_last_one() {
    let (now, mut open, mut out) = (Instant::now(), open(100, 1000), Vec::new());
    for item in 0..101 {
        open.push(now, "a", 0, item, false, &mut out);
    }
    open.end(&mut out);
    assert!(out[1].items.capacity() >= 100);
}

/// The batches of rare keys must not each keep room for a full one.
#[test]
fn large_vectors_do_not_go_to_many_small_batches() {
    let now = Instant::now();
    let mut open = OpenBatches::new(Splitter::count(1000).unwrap(), None, 1 << 20).unwrap();
    let mut out = Vec::new();
    for item in 0..1000 {
        open.push(now, 0, 0, item, false, &mut out);
    }
    for key in 0..500 {
        open.push(now, key, 0, key, false, &mut out);
    }
    open.end(&mut out);
    let large = out.iter().filter(|batch| batch.items.capacity() >= 1000);
    assert!(large.count() <= 17);
}

/// A batch that stays open for long keeps nothing of those that came and went.
#[test]
fn one_old_batch_does_not_slow_the_others() {
    let now = Instant::now();
    let mut open = OpenBatches::new(Splitter::count(2).unwrap(), None, 1000).unwrap();
    let mut out = Vec::new();
    open.push(now, 0_u32, 0, 0_u32, false, &mut out);
    for item in 1..10_000 {
        open.push(now, item / 2 + 1, 0, item, false, &mut out);
        open.push(now, item / 2 + 1, 0, item, false, &mut out);
    }
    assert_eq!(out.len(), 9_999);
    out.clear();
    open.end(&mut out);
    assert_eq!((out[0].key, out.len()), (0, 1));
}

#[test]
fn all_that_is_held_can_be_seen() {
    let (now, mut open, mut out) = (Instant::now(), open(3, 1000), Vec::new());
    for item in 1..=2 {
        open.push(now, "a", 0, item, false, &mut out);
        open.push(now, "b", 0, item * 10, false, &mut out);
    }
    assert_eq!(open.iter().sum::<u32>(), 33);
    assert_eq!((open.len(), open.batches()), (4, 2));
}

#[test]
fn bounds_of_zero_are_refused() {
    let splitter = || Splitter::<u32>::count(3).unwrap();
    let error = OpenBatches::<_, ()>::new(splitter(), Some(Duration::ZERO), 1).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("is 0ns, but must be more than 0: use"),
        "{error}"
    );
    let error = OpenBatches::<_, ()>::new(splitter(), None, 0).unwrap_err();
    assert_eq!(error, BatchLimitError::MaxOpen);
    assert!(OpenBatches::<_, ()>::new(splitter(), Some(Duration::MAX), 1).is_ok());
}
