//! Retries: delays, limits, and settings that are refused.

use std::collections::HashSet;
use std::time::Duration;

use proptest::prelude::*;
use stage_pipeline::policy::{Retry, RetryError};

use super::{MS, SECOND};

fn close(left: Duration, right: Duration) -> bool {
    left.abs_diff(right) <= right / 1000
}

#[test]
fn delays_double_up_to_the_longest() {
    let retry = Retry::default().without_jitter();
    for (attempt, millis) in [(1, 100), (2, 200), (3, 400), (9, 25_600), (10, 30_000)] {
        let delay = retry.delay(attempt);
        assert!(close(delay, millis * MS), "{attempt}: {delay:?}");
    }
    assert_eq!(retry.delay(0), retry.delay(1));
}

/// onos-lib-go PR 127, hemilabs/heminetwork 664, scylladb/latte PR 208: the power
/// overflowed after 40 to 64 attempts, and the retries came without a delay.
#[test]
fn many_deliveries_do_not_overflow_the_delay() {
    let retry = Retry::forever().without_jitter();
    for attempt in [40, 64, 65, 1025, u32::MAX] {
        assert_eq!(retry.delay(attempt), 30 * SECOND, "{attempt}");
    }
}

#[test]
fn a_constant_backoff_stays_at_the_first_delay() {
    let retry = Retry::default().without_jitter().factor(1.0);
    assert_eq!(retry.validate(), Ok(()));
    assert_eq!(retry.delay(u32::MAX), 100 * MS);
}

#[test]
fn jitter_spreads_messages_that_failed_together() {
    let delays: HashSet<_> = (0..50).map(|_| Retry::default().delay(3)).collect();
    assert!(delays.len() > 25, "{delays:?}");
    let retry = Retry::default();
    assert_eq!(retry.delay_seeded(3, 7), retry.delay_seeded(3, 7));
}

/// smithy-lang/smithy-java PR 1300: a jitter of zero made a delay of zero.
#[test]
fn jitter_stays_between_half_the_delay_and_the_delay() {
    let retry = Retry::default();
    for seed in 0..10_000 {
        let first = retry.delay_seeded(1, seed);
        assert!((50 * MS..=100 * MS).contains(&first), "{first:?}");
        let last = retry.delay_seeded(40, seed);
        assert!((15 * SECOND..=30 * SECOND).contains(&last), "{last:?}");
    }
}

#[test]
fn only_who_asks_for_no_delay_gets_none() {
    assert_eq!(Retry::default().without_delay().delay(1), Duration::ZERO);
    assert_eq!(Retry::default().without_delay().validate(), Ok(()));
    let zero = Retry::default().backoff(Duration::ZERO, Duration::ZERO);
    assert!(zero.validate().is_err());
    assert!(!zero.delay(1).is_zero());
}

#[test]
fn deliveries_are_counted_from_one() {
    let retry = Retry::default().max_deliveries(3);
    assert!(!retry.is_exhausted(2));
    assert!(retry.is_exhausted(3));
    assert!(retry.may_deliver(3));
    assert!(!retry.may_deliver(4));
    assert!(Retry::never().is_exhausted(1));
    assert!(Retry::never().may_deliver(1));
    assert!(!Retry::forever().is_exhausted(u32::MAX));
    assert!(Retry::forever().may_deliver(u32::MAX));
    assert!(Retry::default().is_limited() && !Retry::forever().is_limited());
}

#[test]
fn an_error_names_the_value_the_range_and_the_fix() {
    let hour = 3600 * SECOND;
    let cases = [
        (Retry::default().max_deliveries(0), "max_deliveries is 0"),
        (Retry::default().attempts(0), "attempts is 0"),
        (
            Retry::default().backoff(Duration::ZERO, SECOND),
            "is 0ns, but must be 1ms",
        ),
        (
            Retry::default().backoff(hour, SECOND),
            "is 1s, but must be between the first",
        ),
        (
            Retry::default().backoff(hour, Duration::MAX),
            "and 365 days",
        ),
        (Retry::default().factor(0.5), "is 0.5, but must be 1, or"),
        (Retry::default().factor(1.001), "1.01 or more"),
        (Retry::default().factor(f32::NAN), "is NaN"),
        (Retry::default().factor(f32::INFINITY), "is inf"),
    ];
    for (retry, part) in cases {
        let text = retry.validate().unwrap_err().to_string();
        assert!(text.contains(part), "{text}");
        assert!(
            text.contains(": use ") || text.contains(": raise "),
            "{text}"
        );
    }
    let zero = Retry::default().attempts(0);
    assert_eq!(zero.validate(), Err(RetryError::Attempts));
    assert_eq!(zero.attempts_in_place(), 1);
}

proptest! {
    #[test]
    fn a_delay_is_never_zero_and_never_too_long(
        first in any::<Duration>(),
        longest in any::<Duration>(),
        factor in any::<f32>(),
        attempt in any::<u32>(),
        seed in any::<u64>(),
    ) {
        let retry = Retry::default().backoff(first, longest).factor(factor);
        let delay = retry.delay_seeded(attempt, seed);
        prop_assert!(!delay.is_zero());
        prop_assert!(delay <= Retry::LONGEST_DELAY);
        if retry.validate().is_ok() {
            prop_assert!(delay <= longest);
            prop_assert!(delay >= first / 2 - first / 1000);
        }
    }
}
