//! New routes for running subscriptions: a selector of a broadcast, a partition.

use stage_core::{Dispatcher, SubscribeError, Supply};
use stage_dispatchers::{Broadcast, Demand, Partition, PartitionKey, Selector};

use crate::common::{Bench, id};

fn reroute<D: Dispatcher>(
    bench: &mut Bench<D>,
    number: u64,
    route: D::Route,
) -> Result<usize, SubscribeError> {
    let Bench { dispatcher, out } = bench;
    dispatcher.reroute(id(number), route, out)
}

#[test]
fn a_dispatcher_without_routes_says_that_it_changes_none() {
    let mut bench = Bench::new(Demand::<u64>::new());
    bench.subscribe(1, ());
    let fixed = SubscribeError::FixedRoute { id: id(1) };
    assert_eq!(reroute(&mut bench, 1, ()), Err(fixed));
}

#[test]
fn a_new_selector_keeps_the_demand() {
    let mut bench = Bench::new(Broadcast::new());
    bench.subscribe(1, Selector::new(|n: &u64| *n > 2));
    bench.subscribe(2, Selector::all());
    bench.ask(1, 3);
    bench.ask(2, 10);
    assert!(bench.dispatch([1, 2, 3]).is_empty());
    assert_eq!(reroute(&mut bench, 1, Selector::new(|n| *n < 2)), Ok(0));
    // It had demand for two: one of these it refuses, and one is left.
    assert!(bench.dispatch([1, 2]).is_empty());
    assert_eq!(bench.dispatch([1, 1]), [1]);
    let sent = bench.sent().into_iter().filter(|(to, _)| *to == 1);
    let sent: Vec<_> = sent.flat_map(|(_, events)| events).collect();
    assert_eq!(sent, [3, 1, 1]);
    let stranger = SubscribeError::NotSubscribed { id: id(7) };
    assert_eq!(reroute(&mut bench, 7, Selector::all()), Err(stranger));
}

fn parts() -> Bench<Partition<u64>> {
    Bench::new(Partition::by_index(3, |n: &u64| Some((n % 3) as usize)).unwrap())
}

#[test]
fn a_subscriber_moves_to_a_free_partition_with_its_demand() {
    let mut bench = parts();
    bench.subscribe(1, PartitionKey(0));
    bench.ask(1, 4);
    assert!(bench.dispatch([0, 1, 4]).is_empty());
    assert_eq!(bench.sent(), [(1, vec![0])]);
    // What was queued for the partition is delivered from the demand that was left.
    assert_eq!(reroute(&mut bench, 1, PartitionKey(1)), Ok(0));
    assert_eq!(bench.sent(), [(1, vec![1, 4])]);
    bench.dispatcher.at_rest(Supply::new(0, 3));
    assert!(bench.dispatch([3, 7, 10]).is_empty());
    assert_eq!(bench.sent(), [(1, vec![7])]);
    assert_eq!(bench.dispatcher.queued(&0), Some(1));
    assert_eq!(bench.dispatcher.queued(&1), Some(1));
}

/// Otherwise two subscribers would handle events of the same key at once (X7).
#[test]
fn the_partition_left_is_free_when_its_events_are_settled() {
    let mut bench = parts();
    bench.subscribe(1, PartitionKey(0));
    bench.ask(1, 2);
    bench.dispatch([0]);
    reroute(&mut bench, 1, PartitionKey(1)).unwrap();
    let taken = |owner: u64, partition: &str| SubscribeError::PartitionTaken {
        partition: partition.into(),
        owner: id(owner),
    };
    let early = bench.dispatcher.subscribe(id(2), PartitionKey(0));
    assert_eq!(early, Err(taken(1, "0")));
    // An event for it waits, and is handed back with the queue.
    bench.dispatch([3]);
    bench.take_back(1, []);
    let back: Vec<u64> = bench.out.take_handed_back().flatten().collect();
    assert_eq!(back, [3]);
    assert_eq!(bench.dispatcher.held(), 0);
    bench.subscribe(2, PartitionKey(0));
    assert_eq!(reroute(&mut bench, 2, PartitionKey(1)), Err(taken(1, "1")));
    let unknown = reroute(&mut bench, 2, PartitionKey(3)).unwrap_err();
    assert!(matches!(unknown, SubscribeError::UnknownPartition { .. }));
    assert_eq!(reroute(&mut bench, 2, PartitionKey(0)), Ok(0));
}

#[test]
fn one_that_moves_on_and_back_and_leaves_frees_all_it_had() {
    let mut bench = parts();
    bench.subscribe(1, PartitionKey(0));
    bench.ask(1, 2);
    reroute(&mut bench, 1, PartitionKey(1)).unwrap();
    reroute(&mut bench, 1, PartitionKey(0)).unwrap();
    reroute(&mut bench, 1, PartitionKey(2)).unwrap();
    bench.dispatch([2]);
    assert_eq!(bench.sent(), [(1, vec![2])]);
    bench.leave(1);
    for key in 0..3 {
        let early = bench.dispatcher.subscribe(id(2), PartitionKey(key));
        assert!(early.is_err(), "{key} is not settled yet");
    }
    bench.take_back(1, [2]);
    for key in 0..3 {
        bench.subscribe(2 + key as u64, PartitionKey(key));
    }
    let back: Vec<u64> = bench.out.take_handed_back().flatten().collect();
    assert_eq!(back, [2]);
}
