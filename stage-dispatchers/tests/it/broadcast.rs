//! `Broadcast` step by step.

use crate::common::{Bench, id};
use stage_core::{Dispatcher, SubscribeError, Supply};
use stage_dispatchers::{Broadcast, Selector};

fn bench(subscribers: u64) -> Bench<Broadcast<u64>> {
    let mut bench = Bench::new(Broadcast::new());
    for number in 1..=subscribers {
        bench.subscribe(number, Selector::all());
    }
    bench
}

/// GS045, GS046.
#[test]
fn what_was_asked_for_a_cancelled_subscriber_counts_for_the_next() {
    let mut bench = bench(1);
    assert_eq!(bench.ask(1, 10), 10);
    assert_eq!(bench.cancel(1), 0);

    bench.subscribe(2, Selector::all());
    assert_eq!(bench.ask(2, 5), 0);
    assert_eq!(bench.ask(2, 7), 2);
}

/// GS047.
#[test]
fn the_slowest_sets_the_pace() {
    let mut bench = bench(2);
    assert_eq!(bench.ask(1, 4), 0);
    assert_eq!(bench.ask(2, 2), 2);
    assert_eq!(bench.dispatch(0..3), [2]);
    assert_eq!(bench.sent(), [(1, vec![0, 1]), (2, vec![0, 1])]);
    assert_eq!(bench.ask(2, 9), 2);
}

/// GS048.
#[test]
fn a_latecomer_holds_the_others_up_until_it_asks() {
    let mut bench = bench(1);
    assert_eq!(bench.ask(1, 10), 10);
    bench.subscribe(2, Selector::all());
    assert_eq!(bench.dispatch(0..3), [0, 1, 2]);
    assert_eq!(bench.ask(2, 5), 0, "10 are on their way");
    assert!(bench.dispatch(0..3).is_empty());
    assert_eq!(bench.sent(), [(1, vec![0, 1, 2]), (2, vec![0, 1, 2])]);
}

/// GS049, GS050.
#[test]
fn everybody_gets_every_event_again_and_again() {
    let mut bench = bench(2);
    for round in 0..3_u64 {
        assert_eq!(bench.ask(1, 3), 0);
        assert_eq!(bench.ask(2, 3), 3);
        let events: Vec<u64> = (round * 3..round * 3 + 3).collect();
        assert!(bench.dispatch(events.clone()).is_empty());
        assert_eq!(bench.sent(), [(1, events.clone()), (2, events)]);
    }
}

/// GS051.
#[test]
fn the_next_subscriber_gets_what_was_asked_for_the_one_before() {
    let mut bench = bench(1);
    bench.ask(1, 10);
    bench.cancel(1);
    bench.subscribe(2, Selector::all());
    assert_eq!(bench.ask(2, 5), 0);
    assert!(bench.dispatch(0..3).is_empty());
    assert_eq!(bench.sent(), [(2, vec![0, 1, 2])]);
}

/// GS052.
#[test]
fn when_the_slowest_cancels_the_demand_of_the_others_goes_upstream() {
    let mut bench = bench(1);
    assert_eq!(bench.ask(1, 10), 10);
    bench.subscribe(2, Selector::all());
    assert_eq!(bench.ask(1, 5), 0);
    assert_eq!(bench.cancel(2), 5);
}

/// GS053.
#[test]
fn a_selector_filters_and_what_it_refused_is_credited() {
    let mut bench = Bench::new(Broadcast::new());
    bench.subscribe(1, Selector::new(|n: &u64| *n > 0));
    bench.subscribe(2, Selector::new(|n: &u64| *n > 1));
    assert_eq!(bench.ask(1, 4), 0);
    assert_eq!(bench.ask(2, 4), 4);
    assert!(bench.dispatch(0..4).is_empty());
    assert_eq!(bench.sent(), [(1, vec![1, 2, 3]), (2, vec![2, 3])]);
    assert_eq!(
        bench.out.take_requested(),
        1,
        "as much as both can still take"
    );
}

#[test]
fn a_selector_that_refuses_everything_sends_nothing() {
    let mut bench = Bench::new(Broadcast::new());
    bench.subscribe(1, Selector::new(|_: &u64| false));
    bench.ask(1, 4);
    assert!(bench.dispatch(0..4).is_empty());
    assert!(bench.sent().is_empty());
    assert_eq!(bench.out.take_requested(), 4);
}

/// GS055; a typed error here.
#[test]
fn a_subscription_is_made_once() {
    let mut bench = bench(1);
    let error = bench.dispatcher.subscribe(id(1), Selector::all());
    assert_eq!(error, Err(SubscribeError::AlreadySubscribed { id: id(1) }));
}

#[test]
fn events_are_shared_and_not_copied() {
    let mut bench = bench(2);
    bench.subscribe(3, Selector::new(|_| true));
    bench.subscribe(4, Selector::new(|n| n % 2 == 0));
    for number in 1..=4 {
        bench.ask(number, 8);
    }
    let events: Vec<u64> = (0..8).collect();
    let address = events.as_ptr();
    bench.dispatcher.dispatch(events.into(), &mut bench.out);

    let batches: Vec<_> = bench.out.take_sends().map(|(_, batch)| batch).collect();
    assert!(
        batches[..3]
            .iter()
            .all(|batch| batch.as_slice().as_ptr() == address)
    );
    assert!(!batches[3].is_shared());
    assert_eq!(batches[3][..], [0, 2, 4, 6]);
}

#[test]
fn a_single_subscriber_gets_the_batch_itself() {
    let mut bench = bench(1);
    bench.ask(1, 8);
    bench.dispatcher.dispatch((0..8).collect(), &mut bench.out);
    let (_, batch) = bench.out.take_sends().next().unwrap();
    assert!(!batch.is_shared());
}

#[test]
fn without_subscribers_everything_is_left_over() {
    let mut bench = bench(0);
    assert_eq!(bench.dispatch(0..3), [0, 1, 2]);
    assert_eq!(bench.dispatcher.at_rest(Supply::new(3, 5)), 0);
}

/// Events that came early lie in the buffer when the latecomer asks: what it
/// was netted against is not on its way any more.
#[test]
fn at_rest_the_truth_about_upstream_wins() {
    let mut bench = bench(1);
    bench.ask(1, 10);
    bench.subscribe(2, Selector::all());
    assert_eq!(bench.dispatch(0..10).len(), 10);
    assert_eq!(bench.ask(2, 4), 0);
    assert_eq!(bench.dispatcher.at_rest(Supply::new(10, 0)), 4);
    assert_eq!(bench.dispatcher.at_rest(Supply::new(1, 1)), 3);
}

#[test]
fn whoever_has_no_demand_is_the_bottleneck_of_those_who_have() {
    let slowest = |bench: &Bench<Broadcast<u64>>| {
        let bottleneck = bench.dispatcher.bottleneck()?;
        Some(bottleneck.subscriber?.get())
    };
    let mut bench = bench(3);
    assert_eq!(slowest(&bench), None, "nobody has demand");
    bench.ask(1, 4);
    bench.ask(3, 2);
    assert_eq!(slowest(&bench), Some(2));
    bench.cancel(2);
    assert_eq!(slowest(&bench), None, "both have demand");
    bench.dispatch(0..2);
    assert_eq!(slowest(&bench), Some(3));

    bench.cancel(1);
    assert_eq!(slowest(&bench), None, "there is nobody left that waits");
    bench.subscribe(4, Selector::all());
    bench.ask(3, 1);
    assert_eq!(slowest(&bench), Some(4), "in the place of one that left");
}
