//! When a batch is full.

use std::time::Instant;

use proptest::prelude::*;
use stage_pipeline::batch::{BatchLimitError, OpenBatches, Split, Splitter, Trigger};

fn bytes(limit: usize) -> Splitter<usize> {
    Splitter::bytes(limit, |weight: &usize| *weight).unwrap()
}

/// The batches that `items` make, and those that were left open at the end.
fn batches<T>(splitter: Splitter<T>, items: impl IntoIterator<Item = T>) -> Vec<Vec<T>> {
    let mut open = OpenBatches::new(splitter, None, usize::MAX).unwrap();
    let mut out = Vec::new();
    for item in items {
        open.push(Instant::now(), (), 0, item, false, &mut out);
    }
    assert!(out.iter().all(|batch| batch.trigger == Trigger::Size));
    open.end(&mut out);
    out.into_iter().map(|batch| batch.items).collect()
}

#[test]
fn a_count_fills_a_batch() {
    let by_three = batches(Splitter::count(3).unwrap(), 0..7);
    assert_eq!(by_three, [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
    assert_eq!(batches(Splitter::count(1).unwrap(), 0..2), [[0], [1]]);
}

/// sequinstream/sequin PR 2024: the splitter of Broadway keeps the message that
/// passes the limit in the batch, so that no limit in bytes is kept.
#[test]
fn a_batch_keeps_its_limit_in_bytes() {
    let made = batches(bytes(10), [4, 4, 4, 6, 1]);
    assert_eq!(made, [vec![4, 4], vec![4, 6], vec![1]]);
}

#[test]
fn a_batch_of_exactly_the_limit_waits_for_no_other_item() {
    let splitter = bytes(10);
    let mut batch = splitter.begin();
    assert_eq!(splitter.split(&mut batch, &4), Split::Continue);
    assert_eq!(splitter.split(&mut batch, &6), Split::After);
}

/// vectordotdev/vector 9790 and 8705: an event above the limit is dropped there.
#[test]
fn an_item_above_the_limit_makes_a_batch_of_its_own() {
    assert_eq!(batches(bytes(10), [50]), [[50]]);
    let made = batches(bytes(10), [3, 50, 50, 3]);
    assert_eq!(made, [vec![3], vec![50], vec![50], vec![3]]);
    assert_eq!(batches(bytes(10), [3, usize::MAX, 3]).len(), 3);
}

#[test]
fn a_limit_in_bytes_may_have_one_in_items() {
    let splitter = bytes(10).at_most(3).unwrap();
    assert_eq!(splitter.max_count(), Some(3));
    let made = batches(splitter, [0, 0, 0, 0, 10, 1]);
    assert_eq!(made, [vec![0, 0, 0], vec![0, 10], vec![1]]);
    assert_eq!(bytes(10).max_count(), None);
}

/// The accumulator function of Broadway, `{:emit, acc}` and `{:cont, acc}`.
#[test]
fn a_function_with_an_accumulator_begins_anew_for_each_batch() {
    let splitter = Splitter::custom(3, |left: &mut u32, _: &u32| {
        *left -= 1;
        if *left == 0 {
            Split::After
        } else {
            Split::Continue
        }
    });
    let made = batches(splitter, 0..7);
    assert_eq!(made, [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
}

#[test]
fn a_function_can_split_before_an_item() {
    // One batch for each run of equal items.
    let splitter = Splitter::custom(None, |run: &mut Option<char>, item: &char| {
        if run.replace(*item).is_none_or(|run| run == *item) {
            Split::Continue
        } else {
            Split::Before
        }
    });
    let made = batches(splitter, "aabccc".chars());
    assert_eq!(made, [vec!['a', 'a'], vec!['b'], vec!['c', 'c', 'c']]);
}

#[test]
fn a_function_that_always_splits_makes_batches_of_one() {
    for split in [Split::Before, Split::After] {
        let splitter = Splitter::custom((), move |(), _: &u32| split);
        assert_eq!(batches(splitter.clone(), 0..3), [[0], [1], [2]]);
    }
}

#[test]
fn a_size_of_zero_is_refused() {
    let error = Splitter::<u32>::count(0).unwrap_err();
    assert_eq!(error, BatchLimitError::Count);
    assert!(
        error
            .to_string()
            .contains("is 0, but must be 1 or more: use 1")
    );
    assert!(Splitter::bytes(0, |_: &u32| 1).is_err());
    assert!(bytes(10).at_most(0).is_err());
}

proptest! {
    #[test]
    fn batches_are_as_large_as_the_limit_lets_them(
        limit in 1..100_usize,
        count in prop::option::of(1..10_usize),
        items in prop::collection::vec(0..130_usize, 0..200),
    ) {
        let splitter = match count {
            Some(count) => bytes(limit).at_most(count).unwrap(),
            None => bytes(limit),
        };
        let made = batches(splitter, items.clone());
        let count = count.unwrap_or(usize::MAX);
        for batch in &made {
            prop_assert!(!batch.is_empty() && batch.len() <= count);
            prop_assert!(batch.len() == 1 || batch.iter().sum::<usize>() <= limit);
        }
        for pair in made.windows(2) {
            let (sum, next) = (pair[0].iter().sum::<usize>(), pair[1][0]);
            prop_assert!(sum + next > limit || sum == limit || pair[0].len() == count);
        }
        prop_assert_eq!(made.concat(), items);
    }
}
