//! The low-water mark of a log.

use std::collections::BTreeMap;
use std::time::Instant;

use proptest::prelude::*;
use stage_pipeline::ack::{Gap, GapLimits, Leased, LowWaterMark};

use super::{MS, SECOND};

fn leased(offsets: impl IntoIterator<Item = u64>) -> LowWaterMark {
    let (now, mut log) = (Instant::now(), LowWaterMark::new());
    for offset in offsets {
        assert_eq!(log.lease(now, offset), Ok(Leased::New));
    }
    log
}

/// Fault 26: acks out of order on a log. redpanda-data/connect 350.
#[test]
fn the_mark_never_passes_an_unsettled_message() {
    let mut log = leased(100..105);
    assert_eq!(log.mark(), Some(100));
    for offset in [104, 101, 102] {
        assert_eq!(log.settle(0, offset), None);
    }
    assert_eq!(log.settle(0, 100), Some(103));
    assert_eq!(log.lowest_unsettled(), Some(103));
    assert_eq!(log.settle(0, 103), Some(105));
    assert_eq!((log.mark(), log.lowest_unsettled()), (Some(105), None));
}

/// confluentinc/parallel-consumer 52 and 409, MaterializeInc/materialize 4024: the
/// offsets of a compacted log have holes.
#[test]
fn holes_do_not_stop_the_mark() {
    let mut log = leased([3, 1000, 1001, 70_000]);
    assert_eq!(log.settle(0, 70_000), None);
    assert_eq!(log.settle(0, 1001), None);
    assert_eq!(log.settle(0, 3), Some(1000));
    assert_eq!(log.settle(0, 1000), Some(70_001));
}

#[test]
fn a_hole_after_a_rest_is_passed_by_the_next_lease() {
    let mut log = leased([5]);
    assert_eq!(log.settle(0, 5), Some(6));
    assert_eq!(log.lease(Instant::now(), 50), Ok(Leased::New));
    assert_eq!(log.mark(), Some(50));
}

/// reactor/reactor-kafka 259: after a rebalance the same messages came again, were
/// deferred twice, and stopped the consumer for ever.
#[test]
fn a_rebalance_makes_older_settlements_stale() {
    let now = Instant::now();
    let mut log = leased(0..10);
    assert_eq!(log.settle(0, 5), None);
    let generation = log.rebalance();
    assert_eq!((log.mark(), log.gap(now).count), (None, 0));
    for offset in 0..10 {
        assert_eq!(log.lease(now, offset), Ok(Leased::New));
    }
    assert_eq!(log.settle(0, 0), None);
    assert_eq!((log.stale(), log.mark()), (1, Some(0)));
    for offset in (0..10).rev() {
        let mark = log.settle(generation, offset);
        assert_eq!(mark, (offset == 0).then_some(10));
    }
    assert_eq!(log.gap(now).count, 0);
}

#[test]
fn a_retried_message_is_leased_again_and_keeps_its_age() {
    let now = Instant::now();
    let mut log = LowWaterMark::new();
    log.lease(now, 7).unwrap();
    log.lease(now, 8).unwrap();
    assert_eq!(log.settle(0, 8), None);
    assert_eq!(log.lease(now + SECOND, 7), Ok(Leased::Again));
    assert_eq!(log.lease(now + SECOND, 8), Ok(Leased::Settled));
    assert_eq!(
        log.gap(now + SECOND),
        Gap {
            count: 2,
            age: SECOND
        }
    );
    assert_eq!(log.settle(0, 7), Some(9));
    assert_eq!(log.lease(now, 7), Ok(Leased::Settled));
}

#[test]
fn offsets_that_do_not_grow_are_refused() {
    let now = Instant::now();
    let mut log = leased([10, 20]);
    let error = log.lease(now, 15).unwrap_err();
    assert_eq!((error.offset, error.last), (15, 20));
    let text = error.to_string();
    assert!(
        text.contains("offset 15 was leased after offset 20"),
        "{text}"
    );
    assert_eq!(log.gap(now).count, 2);
}

#[test]
fn a_settlement_that_means_nothing_is_counted() {
    let mut log = leased([10, 11]);
    assert_eq!(log.settle(0, 11), None);
    for offset in [11, 9, 12, 500] {
        assert_eq!(log.settle(0, offset), None);
    }
    assert_eq!((log.ignored(), log.stale(), log.mark()), (4, 0, Some(10)));
}

/// KAFKA-14079, redpanda-data/connect PR 3577: one message that is never settled
/// makes the gap grow without a bound.
#[test]
fn the_gap_has_a_bound_in_messages_and_in_time() {
    let now = Instant::now();
    let limits = GapLimits {
        count: 5,
        age: SECOND,
    };
    let mut log = LowWaterMark::new();
    for offset in 0..5 {
        log.lease(now + 10 * MS, offset).unwrap();
        log.settle(0, if offset == 0 { 99 } else { offset });
    }
    assert!(!log.is_over(now + SECOND, limits));
    assert!(log.is_over(now + SECOND + 11 * MS, limits), "too old");
    log.lease(now, 5).unwrap();
    assert!(log.is_over(now + 10 * MS, limits), "too many");
    // A clock that goes back makes nothing old.
    assert!(log.gap(now).age.is_zero());
    assert_eq!(log.settle(0, 0), Some(5));
    assert!(!log.is_over(now + SECOND, limits));
}

#[derive(Clone, Debug)]
enum Step {
    Lease(u64),
    Settle(usize),
    SettleUnknown(u64),
    SettleStale(usize),
    Rebalance,
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop_oneof![3 => Just(1), 1 => 1..50_u64].prop_map(Step::Lease),
        8 => any::<usize>().prop_map(Step::Settle),
        1 => any::<u64>().prop_map(Step::SettleUnknown),
        1 => any::<usize>().prop_map(Step::SettleStale),
        1 => Just(Step::Rebalance),
    ]
}

proptest! {
    #[test]
    fn the_mark_is_the_lowest_unsettled_offset(
        steps in prop::collection::vec(steps(), 1..300),
    ) {
        let now = Instant::now();
        let mut log = LowWaterMark::new();
        // All that was leased in this generation: whether it is settled.
        let mut model: BTreeMap<u64, bool> = BTreeMap::new();
        let mut last = 0;
        for step in steps {
            let before = log.mark();
            let generation = log.generation();
            let pick = |at: usize| model.keys().nth(at % model.len().max(1)).copied();
            let moved = match step {
                Step::Lease(by) => {
                    last += by;
                    prop_assert_eq!(log.lease(now, last), Ok(Leased::New));
                    model.insert(last, false);
                    log.mark().filter(|mark| before != Some(*mark))
                }
                Step::Settle(at) => {
                    let Some(offset) = pick(at) else { continue };
                    model.insert(offset, true);
                    log.settle(generation, offset)
                }
                Step::SettleUnknown(offset) => {
                    let offset = last.saturating_add(1).saturating_add(offset);
                    log.settle(generation, offset)
                }
                Step::SettleStale(at) => {
                    let offset = pick(at).unwrap_or(0);
                    log.settle(generation.wrapping_sub(1), offset)
                }
                Step::Rebalance => {
                    model.clear();
                    prop_assert_eq!(log.rebalance(), generation + 1);
                    prop_assert_eq!(log.mark(), None);
                    continue;
                }
            };
            let unsettled = model.iter().find(|(_, settled)| !**settled);
            let lowest = unsettled.map(|(offset, _)| *offset);
            let mark = lowest.or(model.keys().last().map(|last| last + 1));
            prop_assert_eq!(log.lowest_unsettled(), lowest);
            prop_assert_eq!(log.mark(), mark);
            prop_assert_eq!(moved, mark.filter(|_| before != mark));
            let gap = lowest.map_or(0, |lowest| model.range(lowest..).count());
            prop_assert_eq!(log.gap(now).count, gap);
        }
    }
}
