//! Items that wait for the rate of their key.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use stage_pipeline::policy::{KeyedBuckets, ParkedByKey, Rate, Wait};

use super::{MS, SECOND};

#[test]
fn a_slow_key_does_not_stop_the_others() {
    let now = Instant::now();
    let mut parked = ParkedByKey::new(10);
    parked.push(now, 1, "slow", Wait::For(SECOND)).unwrap();
    parked.push(now, 2, "fast", Wait::For(MS)).unwrap();
    assert_eq!(parked.next_due(now), Some(MS));
    let mut out = Vec::new();
    parked.pop_due(now + MS, 10, |_, want| Ok(want), &mut out);
    assert_eq!(out, ["fast"]);
    assert_eq!(parked.next_due(now + MS), Some(999 * MS));
    assert!(parked.waits(1) && !parked.waits(2));
}

#[test]
fn a_key_keeps_its_order_and_its_time() {
    let now = Instant::now();
    let mut parked = ParkedByKey::new(10);
    for item in 0..4 {
        // The later answers are not looked at.
        parked
            .push(now, 1, item, Wait::For((item + 1) * MS))
            .unwrap();
    }
    let mut out = Vec::new();
    let mut answers = [Ok(3), Err(Wait::For(5 * MS))].into_iter();
    parked.pop_due(now + MS, 10, |_, _| answers.next().unwrap(), &mut out);
    assert_eq!((out.len(), parked.len()), (3, 1));
    assert_eq!(parked.next_due(now + MS), Some(5 * MS));
    parked.pop_due(now + 6 * MS, 10, |_, want| Ok(want), &mut out);
    assert_eq!(out, [0, 1, 2, 3]);
    assert!(parked.is_empty());
}

#[test]
fn a_full_one_returns_the_item() {
    let now = Instant::now();
    let mut parked = ParkedByKey::new(2);
    parked.push(now, 1, 'a', Wait::Closed).unwrap();
    parked.push(now, 2, 'b', Wait::Closed).unwrap();
    assert_eq!(parked.push(now, 1, 'c', Wait::Closed), Err('c'));
    assert_eq!(parked.room(), 0);
}

#[test]
fn a_closed_key_waits_for_a_change() {
    let now = Instant::now();
    let mut parked = ParkedByKey::new(10);
    parked.push(now, 1, 'a', Wait::Closed).unwrap();
    assert_eq!(parked.next_due(now), None);
    parked.recheck(now);
    assert_eq!(parked.next_due(now), Some(Duration::ZERO));
    let mut out = Vec::new();
    parked.pop_due(now, 10, |_, _| Err(Wait::Closed), &mut out);
    assert_eq!((out.len(), parked.next_due(now)), (0, None));
    parked.recheck(now);
    parked.pop_due(now, 10, |_, want| Ok(want), &mut out);
    assert_eq!(out, ['a']);
}

#[test]
fn no_more_go_than_are_asked_for() {
    let now = Instant::now();
    let mut parked = ParkedByKey::new(10);
    for item in 0..6 {
        parked.push(now, item % 2, item, Wait::For(MS)).unwrap();
    }
    let mut out = Vec::new();
    let mut asked = 0;
    let mut take = |_, want| {
        asked += want;
        Ok(want)
    };
    parked.pop_due(now + MS, 4, &mut take, &mut out);
    assert_eq!((out.len(), asked), (4, 4));
    assert_eq!(parked.next_due(now + MS), Some(Duration::ZERO));
    parked.pop_due(now + MS, 4, |_, want| Ok(want), &mut out);
    assert_eq!(out.len(), 6);
}

/// A limit that breaks its contract must not keep the source in a loop.
#[test]
fn an_answer_without_a_wait_is_not_asked_again_at_once() {
    let now = Instant::now();
    for answer in [
        Err(Wait::For(Duration::ZERO)),
        Ok(0),
        Err(Wait::For(Duration::MAX)),
    ] {
        let mut parked = ParkedByKey::new(10);
        parked.push(now, 1, 'a', Wait::For(Duration::ZERO)).unwrap();
        let mut calls = 0;
        let mut out = Vec::new();
        let mut take = |_, _| {
            calls += 1;
            answer
        };
        parked.pop_due(now + MS, 10, &mut take, &mut out);
        assert_eq!((calls, out.len(), parked.len()), (1, 0, 1));
    }
}

#[test]
fn what_waits_can_be_seen_and_taken_out() {
    let now = Instant::now();
    let mut parked = ParkedByKey::new(10);
    for item in 0..4 {
        parked.push(now, 7, item, Wait::For(MS)).unwrap();
    }
    assert_eq!(parked.iter().sum::<u64>(), 6);
    assert_eq!(parked.drain().collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(parked.is_empty() && parked.next_due(now).is_none());
}

proptest! {
    #[test]
    fn all_come_out_once_in_order_and_not_before_their_time(
        items in prop::collection::vec((0..4_u64, 0..300_u32), 1..100),
        max in 1..8_usize,
    ) {
        let start = Instant::now();
        let mut now = start;
        let mut limits = KeyedBuckets::new(Rate::per_second(5).with_burst(2).unwrap(), 2);
        let mut parked = ParkedByKey::new(items.len());
        let mut out = Vec::new();
        for (index, &(key, pause)) in items.iter().enumerate() {
            now += pause * MS;
            let item = (key, index);
            let wait = if parked.waits(key) {
                Some(Wait::Closed)
            } else {
                limits.take(now, key, 1).err()
            };
            match wait {
                Some(wait) => parked.push(now, key, item, wait).unwrap(),
                None => out.push(item),
            }
            parked.pop_due(now, max, |key, want| limits.take(now, key, want), &mut out);
        }
        while let Some(wait) = parked.next_due(now) {
            now += wait;
            parked.pop_due(now, max, |key, want| limits.take(now, key, want), &mut out);
        }
        prop_assert!(parked.is_empty());
        prop_assert_eq!(out.len(), items.len());
        let mut last = HashMap::new();
        for (key, index) in out {
            let before = last.insert(key, index);
            prop_assert!(before.is_none_or(|before| before < index));
        }
    }
}
