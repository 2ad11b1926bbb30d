//! `filter` and `inspect`: events that pass as they are.

use std::sync::{Arc, Mutex};

use stage_runtime::DeadLetter;
use stage_runtime::operators::{filter, from_iter, inspect};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::ProducerProbe;

use super::{at_once, collect, collect_from};
use crate::common::soon;

#[tokio::test(start_paused = true)]
async fn a_filter_passes_what_the_predicate_says_in_order() {
    for max_demand in [1, 3, 1_000] {
        let pipeline = Pipeline::new();
        let numbers = from_iter(0..3_000_u64).stage().in_group(&pipeline).spawn();
        let thirds = filter(|n: &u64| n.is_multiple_of(3))
            .stage()
            .subscribe_to(numbers.subscription().max_demand(max_demand))
            .in_group(&pipeline)
            .spawn();
        let all = collect_from(&thirds, &pipeline);
        let expected: Vec<u64> = (0..3_000).step_by(3).collect();
        assert_eq!(soon(all.output()).await.unwrap(), expected);
        assert_settled(&pipeline);
    }
}

/// Reference: reactor/reactor-core issue 689, "filterWhen + flatMap makes the flux stop
/// to emit", and rsocket/rsocket-cpp pull request 409: a filter that refuses an event has
/// to ask for another one in its place.
#[tokio::test(start_paused = true)]
async fn a_filter_that_refuses_nearly_all_goes_on_asking() {
    let numbers = from_iter(0..100_000_u64).stage().spawn();
    let last = filter(|n: &u64| *n == 99_999)
        .stage()
        .subscribe_to(numbers.subscription().max_demand(10))
        .spawn();
    let all = collect()
        .stage()
        .subscribe_to(last.subscription().max_demand(1))
        .spawn();
    assert_eq!(soon(all.output()).await.unwrap(), [99_999]);
}

/// Reference: akka/akka-core issue 18170: a filter whose producer completes while it has
/// nothing to emit completes too.
#[tokio::test(start_paused = true)]
async fn a_filter_that_refuses_all_completes() {
    let numbers = from_iter(0..10_u64).stage().spawn();
    let none = filter(|_: &u64| false)
        .stage()
        .subscribe_to(&numbers)
        .spawn();
    let all = collect().stage().subscribe_to(&none).spawn();
    assert!(soon(all.output()).await.unwrap().is_empty());
    soon(none.join()).await.unwrap();
}

/// Counts its clones.
#[derive(Debug)]
struct Counted(u64, Arc<Mutex<Vec<u64>>>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.1.lock().unwrap().push(self.0);
        Self(self.0, Arc::clone(&self.1))
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_clones_of_a_broadcast_only_what_passes() {
    let cloned = Arc::default();
    let of = Arc::clone(&cloned);
    let numbers = from_iter((0..10).map(move |n| Counted(n, Arc::clone(&of))))
        .stage()
        .dispatcher(Broadcast::new())
        .gate(Gate::Closed)
        .spawn();
    let one = || {
        filter(|event: &Counted| event.0 == 7)
            .stage()
            .subscribe_to(&numbers)
            .spawn()
    };
    let (left, right) = (one(), one());
    let left_all = collect().stage().subscribe_to(&left).spawn();
    let right_all = collect().stage().subscribe_to(&right).spawn();
    numbers.set_gate(Gate::Open);
    assert_eq!(soon(left_all.output()).await.unwrap()[0].0, 7);
    assert_eq!(soon(right_all.output()).await.unwrap()[0].0, 7);
    let cloned = cloned.lock().unwrap();
    assert!(
        cloned.len() <= 2 && cloned.iter().all(|n| *n == 7),
        "{cloned:?}"
    );
}

/// The closures read events in place: a panic loses none.
#[tokio::test(start_paused = true)]
async fn a_panic_loses_nothing() {
    fn broken(n: u64) -> bool {
        assert!(n != 5, "at {n}");
        true
    }
    async fn check<T>(make: impl FnMut() -> T + Send + 'static)
    where
        T: ProducerConsumer<In = u64, Out = u64>,
    {
        let pipeline = Pipeline::new();
        let letters = Arc::new(Mutex::new(Vec::new()));
        let dead = Arc::clone(&letters);
        let numbers = from_iter(0..10_u64).stage().in_group(&pipeline).spawn();
        let step = supervised(make)
            .restart(at_once())
            .stage()
            .dead_letters(move |letter: DeadLetter<u64>| dead.lock().unwrap().extend(letter.events))
            .subscribe_to(&numbers)
            .in_group(&pipeline)
            .spawn();
        let all = collect_from(&step, &pipeline);
        assert_eq!(
            soon(all.output()).await.unwrap(),
            [0, 1, 2, 3, 4, 6, 7, 8, 9]
        );
        assert_eq!(*letters.lock().unwrap(), [5]);
        assert_eq!((step.stats().lost, step.stats().dead_lettered), (0, 1));
        assert_settled(&pipeline);
    }
    check(|| filter(|n: &u64| broken(*n))).await;
    check(|| inspect(|n: &u64| assert!(broken(*n)))).await;
}

#[tokio::test(start_paused = true)]
async fn inspect_sees_every_event_once_and_in_order() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = Arc::clone(&seen);
    let (probe, _calls) = ProducerProbe::counting();
    let numbers = probe.stage().spawn();
    let shown = inspect(move |n: &u64| sees.lock().unwrap().push(*n))
        .stage()
        .subscribe_to(&numbers)
        .spawn();
    let first = stage_runtime::operators::take(1_234)
        .stage()
        .subscribe_to(&shown)
        .spawn();
    let all = collect().stage().subscribe_to(&first).spawn();
    let got = soon(all.output()).await.unwrap();
    assert_eq!(got, Vec::from_iter(0..1_234));
    // It may have looked further than `take` asked for, never twice.
    let seen = seen.lock().unwrap();
    assert!(seen.iter().copied().eq(0..seen.len() as u64));
    assert!(seen.len() >= 1_234);
}
