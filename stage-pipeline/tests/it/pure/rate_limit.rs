//! The shared rate limit: changes while it is used.

use std::time::Instant;

use stage_pipeline::policy::{Rate, RateLimit, Wait};

use super::{Bell, MS, SECOND};

#[test]
fn clones_share_the_permits() {
    let now = Instant::now();
    let limit = RateLimit::new(Rate::per_second(10));
    let (_, waker) = Bell::new();
    assert_eq!(limit.clone().take(now, 7, &waker), Ok(7));
    assert_eq!(limit.take(now, 7, &waker), Ok(3));
    assert_eq!(limit.granted(), 10);
}

#[test]
fn a_change_wakes_those_who_wait_once() {
    let now = Instant::now();
    let limit = RateLimit::new(Rate::closed());
    let (bell, waker) = Bell::new();
    for _ in 0..5 {
        assert_eq!(limit.take(now, 1, &waker), Err(Wait::Closed));
    }
    limit.set(Rate::per_second(10));
    assert_eq!(bell.rung(), 1);
    limit.set(Rate::per_second(20));
    assert_eq!(bell.rung(), 1);
    assert_eq!(limit.rate(), Rate::per_second(20));
    assert_eq!(limit.take(now, 1, &waker), Err(Wait::For(50 * MS)));
    assert_eq!(limit.take(now + SECOND, 100, &waker), Ok(20));
}

#[test]
fn what_is_given_back_goes_to_those_who_wait() {
    let now = Instant::now();
    let limit = RateLimit::new(Rate::per_second(10));
    let (bell, waker) = Bell::new();
    assert_eq!(limit.take(now, 10, &waker), Ok(10));
    assert!(limit.take(now, 1, &waker).is_err());
    limit.give_back(2);
    assert_eq!((bell.rung(), limit.granted()), (1, 8));
    assert_eq!(limit.take(now, 5, &waker), Ok(2));
}

#[test]
fn a_limit_that_was_not_used_takes_a_new_rate_as_it_is() {
    let limit = RateLimit::new(Rate::per_second(1));
    limit.set(Rate::per_second(10));
    let (_, waker) = Bell::new();
    assert_eq!(limit.take(Instant::now(), 100, &waker), Ok(10));
}

/// A controller that changes the rate often must not keep a taker waiting.
#[test]
fn frequent_changes_do_not_starve() {
    let start = Instant::now();
    let limit = RateLimit::new(Rate::per_second(1).with_burst(1).unwrap());
    let (_, waker) = Bell::new();
    let mut granted = 0;
    for tick in 0..6000_u32 {
        let permits = if tick % 2 == 0 { 1 } else { 2 };
        limit.set(Rate::per_second(permits).with_burst(1).unwrap());
        if limit.take(start + tick * 10 * MS, 1, &waker).is_ok() {
            granted += 1;
        }
    }
    // 60 seconds at 1 a second, the slower of the two.
    assert!((55..=61).contains(&granted), "{granted}");
}

#[test]
fn a_waiter_too_many_wakes_the_others_and_loses_none() {
    let now = Instant::now();
    let limit = RateLimit::new(Rate::closed());
    let bells: Vec<_> = (0..3000).map(|_| Bell::new()).collect();
    for (_, waker) in &bells {
        assert!(limit.take(now, 1, waker).is_err());
    }
    limit.set(Rate::per_second(1));
    assert!(bells.iter().all(|(bell, _)| bell.rung() == 1));
}
