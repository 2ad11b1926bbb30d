//! Changing events where they are.

use std::sync::{Arc, Mutex};

use super::{collect, collect_from};
use crate::common::{failure, soon};
use stage_runtime::DeadLetter;
use stage_runtime::operators::{for_each, for_each_ref, from_iter, map_in_place};
use stage_runtime::prelude::*;
use stage_test::assert_settled;

#[tokio::test(start_paused = true)]
async fn every_event_is_changed_once_and_keeps_its_place() {
    for max_demand in [1, 2, 7, 1_000] {
        let numbers = from_iter(0..5_000u64).stage().spawn();
        let changed = map_in_place(|n: &mut u64| *n += 1)
            .stage()
            .subscribe_to(numbers.subscription().max_demand(max_demand))
            .spawn();
        let all = collect().stage().subscribe_to(&changed).spawn();
        assert_eq!(
            soon(all.output()).await.unwrap(),
            Vec::from_iter(1..=5_000u64)
        );
    }
}

/// The buffer that a batch came in goes out again.
#[tokio::test(start_paused = true)]
async fn nothing_is_copied() {
    let places = Arc::new(Mutex::new(Vec::new()));
    let numbers = from_iter(0..500u64).stage().spawn();
    let mut above = Arc::clone(&places);
    let noted = map_in_place(move |n: &mut u64| {
        if *n == 0 {
            above.lock().unwrap().push(std::ptr::from_ref(n) as usize);
        }
    })
    .stage()
    .subscribe_to(numbers.subscription().max_demand(500).min_demand(0))
    .spawn();
    above = Arc::clone(&places);
    let below = for_each_ref(move |n: &u64| {
        if *n == 0 {
            above.lock().unwrap().push(std::ptr::from_ref(n) as usize);
        }
    })
    .stage()
    .subscribe_to(&noted)
    .spawn();
    soon(below.join()).await.unwrap();
    let places = places.lock().unwrap();
    assert_eq!(places.len(), 2);
    assert_eq!(places[0], places[1]);
}

#[tokio::test(start_paused = true)]
async fn of_a_broadcast_nobody_else_sees_the_change() {
    let numbers = from_iter(0..10u64)
        .stage()
        .dispatcher(Broadcast::new())
        .gate(Gate::Closed)
        .spawn();
    let changed = map_in_place(|n: &mut u64| *n *= 10)
        .stage()
        .subscribe_to(&numbers)
        .spawn();
    let tens = collect().stage().subscribe_to(&changed).spawn();
    let ones = collect().stage().subscribe_to(&numbers).spawn();
    numbers.set_gate(Gate::Open);
    assert_eq!(soon(ones.output()).await.unwrap(), Vec::from_iter(0..10u64));
    let expected: Vec<u64> = (0..10).map(|n| n * 10).collect();
    assert_eq!(soon(tens.output()).await.unwrap(), expected);
}

/// What was changed has been passed on, the one in hand is given to the hook,
/// and the rest comes again.
#[tokio::test(start_paused = true)]
async fn a_panic_loses_nothing() {
    for at in [0, 1, 6, 9] {
        let pipeline = Pipeline::new();
        let letters = Arc::new(Mutex::new(Vec::new()));
        let dead = Arc::clone(&letters);
        let numbers = from_iter(0..10u64).stage().in_group(&pipeline).spawn();
        let changed = supervised(move || {
            map_in_place(move |n: &mut u64| {
                assert!(*n != at, "at {n}");
                *n += 100;
            })
        })
        .stage()
        .dead_letters(move |letter: DeadLetter<u64>| dead.lock().unwrap().extend(letter.events))
        .subscribe_to(&numbers)
        .in_group(&pipeline)
        .spawn();
        let all = collect_from(&changed, &pipeline);
        let expected: Vec<u64> = (100..110).filter(|n| *n != at + 100).collect();
        assert_eq!(soon(all.output()).await.unwrap(), expected);
        assert_eq!(*letters.lock().unwrap(), [at]);
        assert_eq!(changed.stats().lost, 0);
        soon(pipeline.join()).await.unwrap();
        assert_settled(&pipeline);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_restart_the_rest_is_handed_back() {
    let numbers = from_iter(0..10u64).stage().spawn();
    let fails = map_in_place(|n: &mut u64| assert!(*n < 4, "at {n}"))
        .stage()
        .subscribe_to(numbers.subscription().on_cancel(CancelMode::Temporary))
        .spawn();
    let _asks = for_each(|_: u64| ()).stage().subscribe_to(&fails).spawn();
    failure(soon(fails.join()).await);
    let second = collect().stage().subscribe_to(&numbers).spawn();
    assert_eq!(
        soon(second.output()).await.unwrap(),
        Vec::from_iter(4..10u64)
    );
}
