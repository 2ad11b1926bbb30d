//! Closures that follow each other, as one stage.

use std::sync::{Arc, Mutex};

use crate::common::soon;
use stage_runtime::operators::{filter_map, fold, from_iter, map};
use stage_runtime::prelude::*;
use stage_test::assert_settled;

fn parse(word: String) -> Result<u64, String> {
    word.parse().map_err(|_| word)
}

fn repeat(n: u64) -> Vec<u64> {
    vec![n; usize::try_from(n % 3).unwrap()]
}

fn keep(mut all: Vec<u64>, n: u64) -> Vec<u64> {
    all.push(n);
    all
}

fn words() -> impl Iterator<Item = String> + Send {
    (0..2_000).map(|n| {
        if n % 7 > 5 {
            "x".into()
        } else {
            format!("{n}")
        }
    })
}

/// One after the other, in stages of their own.
async fn apart() -> Vec<u64> {
    let words = from_iter(words()).stage().spawn();
    let parsed = map(parse).stage().subscribe_to(&words).spawn();
    let good = filter_map(Result::ok).stage().subscribe_to(&parsed).spawn();
    let tens = map(|n: u64| n * 10).stage().subscribe_to(&good).spawn();
    let odd = filter_map(|n: u64| (n % 8 > 3).then_some(n))
        .stage()
        .subscribe_to(&tens)
        .spawn();
    let all = fold(Vec::new(), keep).stage().subscribe_to(&odd).spawn();
    soon(all.output()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_stage_does_what_a_row_of_them_does() {
    let expected = apart().await;
    assert!(expected.len() > 500);

    let source = from_iter(words()).stage().spawn();
    let folded = map(parse)
        .filter_map(Result::ok)
        .map(|n| n * 10)
        .filter_map(|n| (n % 8 > 3).then_some(n))
        .fold(Vec::new(), keep)
        .stage()
        .subscribe_to(&source)
        .spawn();
    assert_eq!(soon(folded.output()).await.unwrap(), expected);

    let (seen, source) = (
        Arc::new(Mutex::new(Vec::new())),
        from_iter(words()).stage().spawn(),
    );
    let all = Arc::clone(&seen);
    let each = map(parse)
        .map(Result::ok)
        .filter_map(|n| n)
        .map(|n| n * 10)
        .filter_map(|n| (n % 8 > 3).then_some(n))
        .for_each(move |n| all.lock().unwrap().push(n))
        .stage()
        .subscribe_to(&source)
        .spawn();
    soon(each.join()).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_row_of_maps_ends_in_any_consumer() {
    let source = from_iter(0..100u64).stage().spawn();
    let repeated = map(|n: u64| n + 1)
        .flat_map(repeat)
        .stage()
        .subscribe_to(&source)
        .spawn();
    let sum = map(|n: u64| n * 2)
        .fold(0, |sum, n| sum + n)
        .stage()
        .subscribe_to(&repeated)
        .spawn();
    let expected: u64 = (1..=100).flat_map(repeat).map(|n| n * 2).sum();
    assert_eq!(soon(sum.output()).await.unwrap(), expected);

    let (seen, source) = (
        Arc::new(Mutex::new(0)),
        from_iter(0..100u64).stage().spawn(),
    );
    let sum = Arc::clone(&seen);
    let each = map(|n: u64| n + 1)
        .for_each(move |n| *sum.lock().unwrap() += n)
        .stage()
        .subscribe_to(&source)
        .spawn();
    soon(each.join()).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), 5_050);
}

/// The event at which the last of them panics is the only one that is lost.
#[tokio::test(start_paused = true)]
async fn a_panic_loses_the_one_event_in_hand() {
    for at in [0, 1, 6, 9] {
        let pipeline = Pipeline::new();
        let numbers = from_iter(0..10u64).stage().in_group(&pipeline).spawn();
        let fused = supervised(move || {
            map(|n: u64| n + 100)
                .filter_map(|n| (n != 103).then_some(n))
                .map(move |n| {
                    assert!(n != at + 100, "at {n}");
                    n
                })
        })
        .stage()
        .subscribe_to(&numbers)
        .in_group(&pipeline)
        .spawn();
        let all = fold(Vec::new(), keep)
            .stage()
            .subscribe_to(&fused)
            .in_group(&pipeline)
            .spawn();
        let expected: Vec<u64> = (100..110).filter(|n| *n != at + 100 && *n != 103).collect();
        assert_eq!(soon(all.output()).await.unwrap(), expected);
        assert_eq!(fused.stats().lost, 1);
        soon(pipeline.join()).await.unwrap();
        assert_settled(&pipeline);
    }
}
