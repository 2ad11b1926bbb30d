//! Subscriptions that are not there, or are there already (X8, X9), and
//! demands of very different size.

use crate::common::{Bench, id};
use stage_core::{Dispatcher, SubscribeError};
use stage_dispatchers::{Broadcast, Demand, Partition, PartitionKey, Selector};

type Boxed<R> = Box<dyn Dispatcher<Event = u64, Route = R>>;

/// One subscriber, 1, that has asked for 2.
fn bench<R>(dispatcher: Boxed<R>, route: R) -> Bench<Boxed<R>> {
    let mut bench = Bench::new(dispatcher);
    bench.subscribe(1, route);
    assert_eq!(bench.ask(1, 2), 2);
    bench
}

fn check_duplicate<R: Clone>(dispatcher: Boxed<R>, route: R) {
    let mut bench = bench(dispatcher, route.clone());
    let again = bench.dispatcher.subscribe(id(1), route);
    assert_eq!(again, Err(SubscribeError::AlreadySubscribed { id: id(1) }));
    assert_eq!(bench.dispatch(0..3), [2], "the first one stays as it was");
    assert_eq!(bench.sent(), [(1, vec![0, 1])]);
}

fn check_stranger<R>(dispatcher: Boxed<R>, route: R) {
    let mut bench = bench(dispatcher, route);
    assert_eq!(bench.ask(7, 10), 0);
    assert_eq!(bench.cancel(7), 0);
    assert_eq!(bench.dispatch(0..3), [2], "only 2 were asked for");
    assert_eq!(bench.sent(), [(1, vec![0, 1])]);
}

fn one_partition() -> Boxed<PartitionKey<usize>> {
    Box::new(Partition::new(1).expect("one partition"))
}

/// GS185; a typed error here.
#[test]
fn a_subscription_that_is_there_already_is_refused() {
    check_duplicate(Box::new(Demand::new()), ());
    check_duplicate(one_partition(), PartitionKey(0));
    let mut bench = bench(Box::new(Broadcast::new()), Selector::all());
    let again = bench.dispatcher.subscribe(id(1), Selector::all());
    assert_eq!(again, Err(SubscribeError::AlreadySubscribed { id: id(1) }));
    assert!(bench.dispatch(0..2).is_empty());
    assert_eq!(bench.sent(), [(1, vec![0, 1])], "and gets them once");
}

/// GS186; passed over here.
#[test]
fn an_ask_of_a_stranger_moves_nothing() {
    check_stranger(Box::new(Demand::new()), ());
    check_stranger(Box::new(Broadcast::new()), Selector::all());
    check_stranger(one_partition(), PartitionKey(0));
}

/// GS074; no demand is expected here, so that there is nothing to warn of.
#[test]
fn subscribers_need_not_ask_for_the_same() {
    let mut bench = Bench::new(Demand::new());
    for number in 1..=3 {
        bench.subscribe(number, ());
    }
    assert_eq!(bench.ask(1, 3), 3);
    assert_eq!(bench.ask(2, 4), 4);
    assert_eq!(bench.ask(3, 1_000), 1_000);
    assert!(bench.dispatch(0..1_007).is_empty());
    let shares: Vec<_> = bench
        .sent()
        .into_iter()
        .map(|(to, events)| (to, events.len()))
        .collect();
    assert_eq!(shares, [(3, 1_000), (2, 4), (1, 3)]);
}
