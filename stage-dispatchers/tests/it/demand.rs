//! `Demand` step by step.

use std::collections::HashSet;

use crate::common::{Bench, id};
use stage_core::{Dispatcher, SubscribeError, Supply};
use stage_dispatchers::Demand;

fn bench(subscribers: u64) -> Bench<Demand<u64>> {
    shuffled(Demand::new(), subscribers)
}

fn shuffled(dispatcher: Demand<u64>, subscribers: u64) -> Bench<Demand<u64>> {
    let mut bench = Bench::new(dispatcher);
    for number in 1..=subscribers {
        bench.subscribe(number, ());
    }
    bench
}

/// GS066, GS067.
#[test]
fn demand_of_a_cancelled_subscriber_is_netted_against_the_next_asks() {
    let mut bench = bench(1);
    assert_eq!(bench.ask(1, 10), 10);
    assert_eq!(bench.cancel(1), 0);

    bench.subscribe(2, ());
    assert_eq!(bench.ask(2, 5), 0);
    assert_eq!(bench.ask(2, 7), 2);
}

/// GS068.
#[test]
fn the_demand_of_the_others_stays_when_one_cancels() {
    let mut bench = bench(2);
    assert_eq!(bench.ask(1, 3), 3);
    assert_eq!(bench.ask(2, 3), 3);
    assert_eq!(bench.cancel(1), 0);

    assert_eq!(bench.dispatch(0..5), [3, 4]);
    assert_eq!(bench.sent(), [(2, vec![0, 1, 2])]);
    assert_eq!(
        bench.ask(2, 2),
        1,
        "two of the three pending ones have come"
    );
}

/// GS069.
#[test]
fn what_nobody_asked_for_is_left_over() {
    let mut bench = bench(1);
    bench.ask(1, 3);
    assert!(bench.dispatch([1]).is_empty());
    bench.ask(1, 3);
    assert_eq!(bench.dispatch([2, 3, 4, 5, 6, 7, 8]), [7, 8]);
    assert_eq!(bench.sent(), [(1, vec![1]), (1, vec![2, 3, 4, 5, 6])]);
}

/// GS070, GS071.
#[test]
fn the_highest_demand_is_first_and_equals_keep_their_turn() {
    let mut bench = bench(3);
    bench.ask(1, 4);
    bench.ask(2, 2);
    bench.ask(3, 4);
    assert!(bench.dispatch(0..9).is_empty());
    assert_eq!(
        bench.sent(),
        [(1, vec![0, 1, 2, 3]), (3, vec![4, 5, 6, 7]), (2, vec![8])]
    );

    bench.ask(3, 1);
    assert!(bench.dispatch([9]).is_empty());
    assert_eq!(
        bench.sent(),
        [(2, vec![9])],
        "the one that was served first waits longest"
    );
}

/// GS072.
#[test]
fn the_first_dispatch_can_be_shuffled() {
    let first = |seed| {
        let mut bench = shuffled(Demand::new().shuffle_first(seed), 4);
        for number in 1..=4 {
            bench.ask(number, 3);
        }
        assert!(bench.dispatch(0..1).is_empty());
        bench.sent()[0].0
    };
    let firsts: HashSet<u64> = (0..64).map(first).collect();
    assert_eq!(firsts.len(), 4, "every subscriber is first for some seed");
    assert_eq!(first(5), first(5));
}

#[test]
fn a_shuffle_passes_over_those_without_demand_and_draws_an_order_among_equals() {
    for seed in 0..32 {
        let mut bench = shuffled(Demand::new().shuffle_first(seed), 5);
        assert_eq!(
            bench.dispatch([7]),
            [7],
            "nobody has demand: not the first dispatch yet"
        );
        for number in 1..=3 {
            bench.ask(number, 2);
        }
        assert_eq!(bench.dispatch(0..8), [6, 7]);
        let order: Vec<u64> = bench.sent().iter().map(|(to, _)| *to).collect();

        for number in 1..=3 {
            bench.ask(number, 2);
        }
        bench.dispatch(0..6);
        let next: Vec<u64> = bench.sent().iter().map(|(to, _)| *to).collect();
        assert_eq!(next, [1, 2, 3], "{order:?} was for the first dispatch only");
    }
}

#[test]
fn a_subscription_is_made_once() {
    let mut bench = bench(1);
    let error = bench.dispatcher.subscribe(id(1), ()).unwrap_err();
    assert_eq!(error, SubscribeError::AlreadySubscribed { id: id(1) });
}

/// A leftover that GenStage takes for an answer to pending demand: what it
/// told upstream would be too little ever after.
#[test]
fn at_rest_the_truth_about_upstream_wins() {
    let mut bench = bench(2);
    bench.ask(1, 10);
    bench.cancel(1);
    assert_eq!(bench.ask(2, 6), 0, "10 are on their way");

    let nothing_comes = Supply::new(0, 0);
    assert_eq!(bench.dispatcher.at_rest(nothing_comes), 6);

    let plenty = Supply::new(4, 9);
    assert_eq!(bench.dispatcher.at_rest(plenty), 4);
    bench.dispatch(0..4);
    assert_eq!(bench.ask(2, 8), 1, "7 of the 9 owed were to spare");
}

#[test]
fn a_single_subscriber_gets_the_batch_itself() {
    let mut bench = bench(1);
    bench.ask(1, 8);
    let events: Vec<u64> = (0..8).collect();
    let address = events.as_ptr();
    let left = bench.dispatcher.dispatch(events.into(), &mut bench.out);
    assert!(left.is_empty());
    let (_, batch) = bench.out.take_sends().next().unwrap();
    assert_eq!(batch.as_slice().as_ptr(), address);
}
