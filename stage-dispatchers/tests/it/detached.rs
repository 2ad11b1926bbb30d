//! Detached: a slow subscriber slows nobody but itself.

use stage_core::{Bound, Dispatcher, SubscribeError, Supply, WhenFull};
use stage_dispatchers::{Detached, Selector, SubscriberQueue};

use crate::common::{Bench, id};

fn events(limit: usize, when_full: WhenFull) -> SubscriberQueue<u64> {
    SubscriberQueue::new()
        .bound(Bound::Events(limit))
        .when_full(when_full)
}

/// Every event weighs its own number.
fn bytes(limit: usize, when_full: WhenFull) -> SubscriberQueue<u64> {
    let weigh = |event: &u64| *event as usize;
    SubscriberQueue::new()
        .bound(Bound::Bytes { limit, weigh })
        .when_full(when_full)
}

/// What the second subscriber gets later, what was shed, and what was left over,
/// when it did not ask for any of `0..8` and the first for all.
fn policy(route: SubscriberQueue<u64>, sent: [u64; 8]) -> (Vec<u64>, usize, Vec<u64>) {
    let mut bench = Bench::new(Detached::new());
    bench.subscribe(1, SubscriberQueue::new());
    bench.subscribe(2, route);
    bench.ask(1, 100);
    let mut left = bench.dispatch(sent[..3].iter().copied());
    left.extend(bench.dispatch(sent[3..].iter().copied()));
    let fast: Vec<u64> = bench.sent().into_iter().flat_map(|(_, it)| it).collect();
    assert_eq!(fast.len() + left.len(), 8);
    let shed: usize = bench.out.take_shed().map(|(_, count)| count).sum();
    assert_eq!(bench.out.take_discarded(), shed);
    bench.ask(2, 100);
    assert_eq!(bench.dispatcher.held(), 0);
    let slow = bench.sent().into_iter().flat_map(|(_, it)| it).collect();
    (slow, shed, left)
}

#[test]
fn a_full_queue_does_as_its_policy_says() {
    let sent = [0, 1, 2, 3, 4, 5, 6, 7];
    let none = vec![];
    let newest = policy(events(5, WhenFull::DropNewest), sent);
    assert_eq!(newest, (vec![0, 1, 2, 3, 4], 3, none.clone()));
    let oldest = policy(events(5, WhenFull::DropOldest), sent);
    assert_eq!(oldest, (vec![3, 4, 5, 6, 7], 3, none.clone()));
    let wait = policy(events(5, WhenFull::Wait), sent);
    assert_eq!(wait, (vec![0, 1, 2, 3, 4], 0, vec![5, 6, 7]));
    assert_eq!(
        policy(events(0, WhenFull::DropOldest), sent),
        (none, 8, vec![])
    );
}

#[test]
fn a_bound_in_bytes_is_kept() {
    let sent = [4, 4, 4, 9, 1, 1, 1, 1];
    let none = vec![];
    let newest = policy(bytes(10, WhenFull::DropNewest), sent);
    assert_eq!(newest, (vec![4, 4], 6, none.clone()));
    let oldest = policy(bytes(10, WhenFull::DropOldest), sent);
    assert_eq!(oldest, (vec![1, 1, 1, 1], 4, none.clone()));
    let wait = policy(bytes(10, WhenFull::Wait), sent);
    assert_eq!(wait, (vec![4, 4], 0, vec![4, 9, 1, 1, 1, 1]));
    // An event that is heavier than the bound is kept when it is alone.
    let alone = policy(bytes(3, WhenFull::Wait), sent);
    assert_eq!(alone, (vec![4], 0, vec![4, 4, 9, 1, 1, 1, 1]));
    let alone = policy(bytes(3, WhenFull::DropOldest), sent);
    assert_eq!(alone, (vec![1, 1, 1], 5, none));
}

/// A heavy event that a subscriber does not want does not block it, nor the others.
#[test]
fn what_a_selector_refuses_takes_no_room() {
    let mut bench = Bench::new(Detached::new());
    let light = bytes(2, WhenFull::Wait).selector(Selector::new(|event| *event < 2));
    bench.subscribe(1, light);
    bench.subscribe(2, SubscriberQueue::new());
    assert_eq!(bench.dispatch([1, 9, 9, 1, 9, 1, 1]), [9, 1, 1]);
    assert_eq!(bench.dispatcher.queued(id(1)), Some(2));
    assert_eq!(bench.dispatcher.queued(id(2)), Some(4));
    let bottleneck = bench.dispatcher.bottleneck().unwrap();
    assert_eq!((bottleneck.subscriber, bottleneck.held), (Some(id(1)), 2));
    assert_eq!(bottleneck.awaited(), None);
    bench.ask(1, 1);
    assert_eq!(bench.dispatcher.bottleneck(), None);
    assert_eq!(bench.dispatch([9, 1, 1]), [1]);
}

#[test]
fn one_that_is_detached_is_evicted_once_and_gets_nothing_after_the_gap() {
    let mut bench = Bench::new(Detached::new());
    bench.subscribe(1, events(2, WhenFull::Detach));
    bench.subscribe(2, SubscriberQueue::new());
    bench.dispatch([1, 2, 3]);
    let evicted: Vec<_> = bench.out.take_evicted().collect();
    let why = "it is too slow: its queue of 2 events is full";
    assert_eq!(evicted, [(id(1), why.into())]);
    bench.ask(1, 10);
    bench.dispatch([4]);
    assert!(bench.sent().is_empty());
    assert_eq!(bench.out.take_evicted().count(), 0);
    bench.cancel(1);
    // 3 and 4 did not fit, 1 and 2 were queued.
    assert_eq!(bench.out.take_discarded(), 4);
    assert_eq!(bench.dispatcher.held(), 4);
}

#[test]
fn upstream_is_asked_at_the_pace_of_those_who_wait() {
    let mut detached = Detached::<u64>::new();
    assert_eq!(detached.at_rest(Supply::default()), 0);
    detached.subscribe(id(1), SubscriberQueue::new()).unwrap();
    assert_eq!(detached.at_rest(Supply::default()), 1_000);
    assert_eq!(detached.at_rest(Supply::new(0, 1_000)), 0);
    assert_eq!(detached.at_rest(Supply::new(5_000, 0)), 5_000);
    detached
        .subscribe(id(2), events(7, WhenFull::Wait))
        .unwrap();
    assert_eq!(detached.at_rest(Supply::default()), 7);
    assert_eq!(detached.at_rest(Supply::new(3, 1)), 6);
    let mut hot = Detached::<u64>::new().hot();
    assert_eq!(hot.at_rest(Supply::default()), 1_000);
}

#[test]
fn without_subscribers_a_hot_one_discards_and_another_keeps() {
    let mut bench = Bench::new(Detached::new().hot());
    assert!(bench.dispatch([1, 2]).is_empty());
    assert_eq!(bench.out.take_discarded(), 2);
    let mut bench = Bench::new(Detached::new());
    assert_eq!(bench.dispatch([1, 2]), [1, 2]);
    assert_eq!(bench.out.take_discarded(), 0);
}

#[test]
fn a_new_route_keeps_the_queue_within_its_bound() {
    let mut bench = Bench::new(Detached::new());
    bench.subscribe(1, events(5, WhenFull::Wait));
    assert_eq!(bench.dispatch([1, 2, 3, 4, 5, 6]), [6]);
    let route = bytes(10, WhenFull::DropOldest).selector(Selector::new(|event| *event != 7));
    let Bench { dispatcher, out } = &mut bench;
    assert_eq!(dispatcher.reroute(id(1), route, out), Ok(0));
    assert!(bench.dispatch([7, 1]).is_empty());
    bench.ask(1, 10);
    assert_eq!(bench.sent(), [(1, vec![4, 5]), (1, vec![1])]);
    let Bench { dispatcher, out } = &mut bench;
    let stranger = dispatcher.reroute(id(9), SubscriberQueue::new(), out);
    assert_eq!(stranger, Err(SubscribeError::NotSubscribed { id: id(9) }));
}

/// Otherwise a hub with changing subscribers would grow without bound, and wait for
/// one that has left.
#[test]
fn those_who_left_are_forgotten() {
    let mut bench = Bench::new(Detached::new());
    bench.subscribe(0, SubscriberQueue::new());
    for number in 1..1_000 {
        bench.subscribe(number, events(1, WhenFull::Wait));
        assert_eq!(bench.dispatch([1, 2]), [2]);
        assert_eq!(
            bench.dispatcher.bottleneck().unwrap().subscriber,
            Some(id(number))
        );
        bench.cancel(number);
        assert!(bench.dispatch([2]).is_empty());
    }
    assert_eq!(bench.dispatcher.held(), 2 * 999);
    assert_eq!(
        format!("{:?}", bench.dispatcher),
        "Detached { subscribers: 1, held: 1998, hot: false, .. }"
    );
}

/// For a producer that ends: X18. An event comes once for each queue that it is in.
#[test]
fn what_is_queued_can_be_taken_out() {
    let mut bench = Bench::new(Detached::new());
    bench.subscribe(1, SubscriberQueue::new());
    bench.subscribe(2, events(2, WhenFull::DropOldest));
    bench.ask(1, 2);
    assert!(bench.dispatch([1, 2, 3]).is_empty());
    assert!(bench.dispatch([4]).is_empty());
    assert_eq!(bench.dispatcher.held(), 4);
    let taken = bench.dispatcher.take_held();
    let taken: Vec<u64> = taken.into_iter().flatten().collect();
    assert_eq!(taken, [3, 4, 3, 4]);
    assert_eq!(bench.dispatcher.held(), 0);
    assert_eq!(bench.dispatcher.queued(id(1)), Some(0));
}
