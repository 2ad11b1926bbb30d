//! Rates and the limit of one taker.

use std::time::{Duration, Instant};

use stage_pipeline::policy::{Gcra, Rate, Wait};

use super::{MS, SECOND};

#[test]
fn as_many_go_as_may() {
    let start = Instant::now();
    let mut limit = Gcra::new(Rate::per_second(10), start);
    assert_eq!(limit.take(start, 37), Ok(10));
    assert_eq!(limit.take(start, 27), Err(Wait::For(100 * MS)));
    assert_eq!(limit.take(start + 350 * MS, 27), Ok(3));
    assert_eq!(limit.take(start + 350 * MS, 24), Err(Wait::For(50 * MS)));
    assert_eq!(limit.take(start, 0), Ok(0));
}

/// elastic/opentelemetry-collector-components PR 1194, boinkor-net/governor PR 251:
/// to ask for more than the burst is an error there, or waits for ever.
#[test]
fn more_than_the_burst_goes_in_parts() {
    let start = Instant::now();
    let rate = Rate::per_second(10).with_burst(1).unwrap();
    let mut limit = Gcra::new(rate, start);
    let mut now = start;
    let mut left = 100;
    while left > 0 {
        match limit.take(now, left) {
            Ok(granted) => left -= granted,
            Err(Wait::For(wait)) => now += wait,
            Err(Wait::Closed) => panic!("it is open"),
        }
    }
    assert_eq!(now - start, 9900 * MS);
}

/// boinkor-net/governor 39: the first second grants the burst and the rate.
#[test]
fn a_burst_of_one_keeps_the_rate_from_the_first_second() {
    let start = Instant::now();
    let mut limit = Gcra::new(Rate::per_second(10).with_burst(1).unwrap(), start);
    let granted = (0..1000).filter(|at| limit.take(start + *at * MS, 1).is_ok());
    assert_eq!(granted.count(), 10);
}

#[test]
fn a_rate_that_does_not_divide_a_second_loses_nothing_to_rounding() {
    let start = Instant::now();
    let mut limit = Gcra::new(Rate::per_second(3).with_burst(1).unwrap(), start);
    let (mut now, mut granted) = (start, 0);
    while now - start < 3000 * SECOND {
        match limit.take(now, 5) {
            Ok(taken) => granted += taken,
            Err(wait) => now += wait.duration().unwrap(),
        }
    }
    // Each wait is rounded up to a nanosecond.
    assert!((8999..=9000).contains(&granted), "{granted}");
}

/// Fault 29: the clock jumps.
#[test]
fn no_clock_makes_a_burst() {
    let start = Instant::now() + 100 * SECOND;
    let mut limit = Gcra::new(Rate::per_second(10), start);
    assert_eq!(limit.take(start, 10), Ok(10));
    // It stands still, it goes back, and it comes to where it was.
    for now in [start, start - 50 * SECOND, start - 10 * SECOND, start] {
        assert_eq!(limit.take(now, 10), Err(Wait::For(100 * MS)));
    }
    // It jumps ahead.
    assert_eq!(limit.take(start + 1_000_000 * SECOND, 1000), Ok(10));
}

#[test]
fn what_was_not_used_can_be_given_back() {
    let start = Instant::now();
    let mut limit = Gcra::new(Rate::per_second(10), start);
    assert_eq!(limit.take(start, 10), Ok(10));
    limit.give_back(4);
    assert_eq!(limit.take(start, 10), Ok(4));
    limit.give_back(usize::MAX);
    assert!(limit.is_full(start));
    assert_eq!(limit.take(start, 100), Ok(10));
}

#[test]
fn a_closed_rate_grants_nothing_and_opens_empty() {
    let start = Instant::now();
    let mut limit = Gcra::new(Rate::per_second(10), start);
    limit.set(start, Rate::closed());
    assert_eq!(limit.take(start + 100 * SECOND, 1), Err(Wait::Closed));
    assert_eq!(Wait::Closed.duration(), None);
    assert!(!limit.is_full(start + 100 * SECOND));
    let open = start + 100 * SECOND;
    limit.set(open, Rate::per_second(10));
    assert_eq!(limit.take(open, 10), Err(Wait::For(100 * MS)));
    assert_eq!(limit.take(open + 100 * MS, 10), Ok(1));
}

#[test]
fn a_changed_rate_adds_no_permits() {
    let start = Instant::now();
    let mut limit = Gcra::new(Rate::per_second(10), start);
    assert_eq!(limit.take(start, 8), Ok(8));
    limit.set(start, Rate::per_second(1000));
    assert_eq!(limit.take(start, 1000), Ok(2));
    assert_eq!(limit.take(start + 5 * MS, 1000), Ok(5));
    // A burst of 1000 has gathered, and 3 of it are left at the lower rate.
    limit.set(start + 10 * SECOND, Rate::per_second(3));
    assert_eq!(limit.take(start + 10 * SECOND, 1000), Ok(3));
}

#[test]
fn a_change_without_time_counts_at_the_slower_rate() {
    let start = Instant::now();
    let rate = Rate::per_second(100).with_burst(1000).unwrap();
    let slow = Rate::per_second(1).with_burst(1000).unwrap();
    for (from, to) in [(rate, slow), (slow, rate)] {
        let mut limit = Gcra::new(from, start);
        assert_eq!(limit.take(start, 1000), Ok(1000));
        limit.set_untimed(to);
        assert_eq!(limit.rate(), to);
        assert_eq!(limit.take(start + 3 * SECOND, 1000), Ok(3));
    }
    // The slowest of several counts.
    let mut limit = Gcra::new(rate, start);
    assert_eq!(limit.take(start, 1000), Ok(1000));
    limit.set_untimed(slow);
    limit.set_untimed(rate);
    assert_eq!(limit.take(start + 3 * SECOND, 1000), Ok(3));
    assert_eq!(limit.take(start + 4 * SECOND, 1000), Ok(100));
}

#[test]
fn a_larger_burst_does_not_fill_with_the_time_before_it() {
    let start = Instant::now();
    let rate = Rate::per_second(10).with_burst(1).unwrap();
    let mut limit = Gcra::new(rate, start);
    limit.set_untimed(rate.with_burst(1000).unwrap());
    assert_eq!(limit.take(start + 100 * SECOND, 1000), Ok(1));
}

#[test]
fn the_largest_values_do_not_overflow() {
    let start = Instant::now();
    let largest = Rate::new(u32::MAX, Rate::LONGEST_PERIOD).unwrap();
    let mut limit = Gcra::new(largest, start);
    limit.set(start, Rate::new(1, Rate::LONGEST_PERIOD).unwrap());
    limit.set(start, largest);
    limit.give_back(usize::MAX);
    assert_eq!(limit.take(start, usize::MAX), Ok(u32::MAX as usize));
    let later = start + 1_000_000 * SECOND;
    assert_eq!(limit.take(later, usize::MAX), Ok(u32::MAX as usize));
}

#[test]
fn a_rate_that_makes_no_sense_is_refused() {
    let text = Rate::new(5, Duration::ZERO).unwrap_err().to_string();
    assert!(
        text.contains("is 0ns, but must be between 1ns and 24h: give"),
        "{text}"
    );
    let day = Rate::LONGEST_PERIOD;
    assert!(Rate::new(5, day).is_ok());
    assert!(Rate::new(5, day + Duration::from_nanos(1)).is_err());
    let text = Rate::per_second(5).with_burst(0).unwrap_err().to_string();
    assert!(
        text.contains("of 5 permits is 0, but must be 1 or more: use"),
        "{text}"
    );
    assert_eq!(Rate::closed().with_burst(7), Ok(Rate::closed()));
    assert_eq!(Rate::closed().to_string(), "closed");
}
