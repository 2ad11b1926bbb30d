//! Which messages are behind a failed one.

use std::collections::HashSet;
use std::sync::Barrier;

use proptest::prelude::*;
use stage_pipeline::policy::{Fence, FenceVerdict, SharedFence};

fn is_behind(fence: &Fence, key: u64, seq: u64) -> bool {
    fence.verdict(key, seq) == FenceVerdict::Behind
}

#[test]
fn only_what_was_leased_after_the_failed_one_is_behind() {
    let mut fence = Fence::default();
    assert!(fence.is_empty());
    fence.fail(7, 10, 20);
    let behind: Vec<_> = (5..25).filter(|&seq| is_behind(&fence, 7, seq)).collect();
    assert_eq!(behind, (11..=20).collect::<Vec<_>>());
    assert!((5..25).all(|seq| !is_behind(&fence, 8, seq)));
    assert!(fence.is_raised(7) && !fence.is_raised(8));
}

/// The next one may be leased before it is back.
#[test]
fn a_failure_of_the_last_one_leased_raises_the_fence_as_well() {
    let mut fence = Fence::default();
    fence.fail(7, 20, 20);
    assert!(fence.is_raised(7) && !fence.is_raised(8));
    assert!((15..25).all(|seq| !is_behind(&fence, 7, seq)));
    fence.settled_key_below(7, 21);
    assert!(fence.is_empty());
}

#[test]
fn a_fence_is_lowered_when_the_messages_of_its_key_are_back() {
    let mut fence = Fence::default();
    fence.fail(7, 10, 20);
    fence.fail(7, 12, 21);
    fence.fail(8, 11, 20);
    fence.settled_key_below(7, 21);
    assert!(fence.is_raised(7));
    fence.settled_key_below(7, 22);
    assert!(!fence.is_raised(7) && fence.is_raised(8));
    fence.settled_below(20);
    assert!(fence.is_raised(8));
    fence.settled_below(21);
    assert!(fence.is_empty());
}

/// One message that is never settled must not make the memory grow.
#[test]
fn too_many_keys_raise_the_fence_for_all() {
    let mut fence = Fence::new(8);
    for key in 0..1000_u64 {
        fence.fail(key, key + 5, 2000);
        assert!(fence.keys() <= 8);
        assert!(is_behind(&fence, key, 2000));
    }
    assert!(fence.is_raised(5000) && is_behind(&fence, 5000, 2000));
    assert!(!is_behind(&fence, 5000, 5));
    fence.settled_below(2001);
    assert!(fence.is_empty());
}

#[test]
fn clones_share_the_fence_and_the_numbers() {
    let fence = SharedFence::default();
    let other = fence.clone();
    assert_eq!((other.number(2), other.number(1)), (1, 3));
    fence.fail(7, 1);
    assert!(!other.is_empty() && other.is_raised(7));
    assert_eq!(other.verdict(7, 2), FenceVerdict::Behind);
    assert_eq!(other.number(2), 4);
    assert!(!other.is_raised(8));
    other.settled_below(4);
    assert!(fence.is_empty());
    assert_eq!(fence.last_leased(), 5);
}

/// A failure and a lease at the same time: the source sees the failure, or its
/// message is behind it.
#[test]
fn no_lease_slips_past_a_failure() {
    for _ in 0..2000 {
        let fence = SharedFence::default();
        let failed = fence.number(1);
        let barrier = Barrier::new(2);
        let (seq, seen) = std::thread::scope(|scope| {
            let leases = scope.spawn(|| {
                barrier.wait();
                (fence.number(1), fence.is_raised(7))
            });
            barrier.wait();
            fence.fail(7, failed);
            leases.join().unwrap()
        });
        assert!(seen || fence.verdict(7, seq) == FenceVerdict::Behind);
    }
}

proptest! {
    /// Against the list of failures: what is behind one never passes, and what was
    /// leased after the last one does. While there is room for all keys, a key is
    /// raised from its first failure until all that was leased by its last one is
    /// settled, and no other message is held back.
    #[test]
    fn verdicts_are_those_of_the_failures(
        max_keys in 1..6_usize,
        steps in prop::collection::vec((0..4_u64, 1..12_u64, 0..6_u64, 0..4_u64), 1..40),
    ) {
        let mut fence = Fence::new(max_keys);
        let mut failures: Vec<(u64, u64, u64)> = Vec::new();
        let (mut last, mut lowest) = (0, 0);
        for (key, leased, back, settled) in steps {
            last += leased;
            let failed = last.saturating_sub(back).max(lowest);
            fence.fail(key, failed, last);
            failures.push((key, failed, last));
            lowest = (lowest + settled).min(last + 1);
            fence.settled_below(lowest);
            let raised: HashSet<u64> = failures
                .iter()
                .filter(|(_, _, to)| *to >= lowest)
                .map(|(key, _, _)| *key)
                .collect();
            failures.retain(|(key, _, _)| raised.contains(key));
            prop_assert_eq!(fence.is_empty(), failures.is_empty());
            prop_assert!(fence.keys() <= max_keys);
            let exact = max_keys >= 4;
            for key in 0..4 {
                prop_assert!(fence.is_raised(key) || !raised.contains(&key));
                prop_assert!(!exact || fence.is_raised(key) == raised.contains(&key));
                let of_key = || failures.iter().filter(|failure| failure.0 == key);
                let first = of_key().map(|failure| failure.1).min();
                let end = of_key().map(|failure| failure.2).max();
                for seq in lowest..=last + 2 {
                    let said = is_behind(&fence, key, seq);
                    let behind = of_key().any(|failure| failure.1 < seq && seq <= failure.2);
                    prop_assert!(said || !behind, "{key} {seq} passed");
                    prop_assert!(!said || seq <= last, "{key} {seq} was leased later");
                    let within = first < Some(seq) && Some(seq) <= end;
                    prop_assert!(!exact || said == within, "{key} {seq}");
                }
            }
        }
    }
}
