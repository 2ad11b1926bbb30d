//! Rate limits by key: rates of their own, and keys that are forgotten.

use std::time::Instant;

use stage_pipeline::policy::{KeyedBuckets, KeyedRateLimit, Rate, Wait};

use super::{Bell, MS, SECOND};

/// boinkor-net/governor 171: keys that are never seen again stay for ever.
#[test]
fn keys_that_are_idle_are_forgotten_by_and_by() {
    let start = Instant::now();
    let mut limits = KeyedBuckets::new(Rate::per_second(1000), 100_000);
    for key in 0..10_000_u64 {
        // At any time about 1000 of them are not full again.
        let now = start + u32::try_from(key).unwrap() * MS / 1000;
        assert_eq!(limits.take(now, key, 1), Ok(1));
    }
    assert!(limits.keys() < 3000, "{}", limits.keys());
    for tick in 0..3000 {
        limits.take(start + SECOND + tick * MS, 0, 1).unwrap();
    }
    assert!(limits.keys() <= 1, "{}", limits.keys());
}

#[test]
fn a_flood_of_keys_is_bounded_and_stays_within_the_rate() {
    let now = Instant::now();
    let mut limits = KeyedBuckets::new(Rate::per_second(5), 100);
    let granted = (0..1000).filter_map(|key| limits.take(now, key, 5).ok());
    // 100 keys have a burst of their own, and the others share one.
    assert_eq!(granted.sum::<usize>(), 101 * 5);
    assert_eq!((limits.keys(), limits.shared()), (100, 900));
    // All are full again after a second, and forgotten.
    limits.forget_idle(now + SECOND);
    assert_eq!(limits.keys(), 0);
}

#[test]
fn a_key_that_shared_begins_with_what_is_left_of_it() {
    let now = Instant::now();
    let mut limits = KeyedBuckets::new(Rate::per_second(5), 1);
    assert_eq!(limits.take(now, 1, 1), Ok(1));
    assert_eq!(limits.take(now, 2, 5), Ok(5));
    // Key 1 is full again and makes room; key 2 has one permit back.
    assert_eq!(limits.take(now + 200 * MS, 2, 5), Ok(1));
    assert_eq!(limits.keys(), 1);
}

#[test]
fn a_key_may_have_a_rate_of_its_own() {
    let now = Instant::now();
    let mut limits = KeyedBuckets::new(Rate::per_second(2), 10);
    assert_eq!(limits.take(now, 1, 9), Ok(2));
    limits.set_for(1, Some(Rate::per_second(100)));
    // It took its permits before it had the rate.
    assert_eq!(limits.take(now, 1, 9), Err(Wait::For(10 * MS)));
    assert_eq!(limits.take(now + 20 * MS, 1, 9), Ok(2));
    assert_eq!((limits.rate_of(1), limits.rate_of(2)).0.permits(), 100);
    limits.set_for(1, None);
    assert_eq!(limits.take(now + 20 * MS, 1, 9), Err(Wait::For(500 * MS)));
    limits.set_for(2, Some(Rate::closed()));
    assert_eq!(limits.take(now, 2, 9), Err(Wait::Closed));
    assert_eq!(limits.take(now, 3, 9), Ok(2));
}

#[test]
fn closing_and_opening_gives_no_second_burst() {
    let now = Instant::now();
    let mut limits = KeyedBuckets::new(Rate::per_second(5), 10);
    assert_eq!(limits.take(now, 1, 5), Ok(5));
    limits.set(Rate::closed());
    assert_eq!(limits.take(now + 10 * SECOND, 1, 5), Err(Wait::Closed));
    assert_eq!(limits.take(now + 10 * SECOND, 2, 5), Err(Wait::Closed));
    limits.forget_idle(now + 10 * SECOND);
    limits.set(Rate::per_second(5));
    assert_eq!(
        limits.take(now + 10 * SECOND, 1, 5),
        Err(Wait::For(200 * MS))
    );
}

#[test]
fn permits_of_a_key_are_given_back_to_it() {
    let now = Instant::now();
    let mut limits = KeyedBuckets::new(Rate::per_second(5), 10);
    assert_eq!(limits.take(now, 1, 5), Ok(5));
    limits.give_back(1, 2);
    limits.give_back(99, 2);
    assert_eq!(limits.take(now, 1, 5), Ok(2));
}

#[test]
fn changes_wake_those_who_wait() {
    let now = Instant::now();
    let limit = KeyedRateLimit::new(Rate::closed());
    let (bell, waker) = Bell::new();
    assert!(limit.take(now, 1, 1, &waker).is_err());
    limit.set_for(1, Some(Rate::per_second(3)));
    assert_eq!(bell.rung(), 1);
    assert_eq!(limit.take(now, 1, 9, &waker), Ok(3));
    assert!(limit.clone().take(now, 1, 9, &waker).is_err());
    limit.give_back(1, 3);
    assert_eq!(bell.rung(), 2);
    assert_eq!((limit.keys(), limit.shared()), (0, 0));
    assert_eq!(limit.rate_of(1).permits(), 3);
}
