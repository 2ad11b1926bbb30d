//! `Partition` step by step.

use crate::common::{Bench, id};
use stage_core::{DispatchError, Dispatcher, SubscribeError};
use stage_dispatchers::{Partition, PartitionError, PartitionKey};

/// Partition 0 for the events below 10, 1 for the others.
fn bench() -> Bench<Partition<u64>> {
    let hash = |event: &u64| Some(usize::from(*event >= 10));
    Bench::new(Partition::by_index(2, hash).expect("two partitions"))
}

/// GS075.
#[test]
fn demand_of_a_cancelled_subscriber_is_netted_against_the_next_asks() {
    let mut bench = bench();
    bench.subscribe(1, PartitionKey(0));
    assert_eq!(bench.ask(1, 10), 10);
    assert_eq!(bench.cancel(1), 0);

    bench.subscribe(2, PartitionKey(1));
    assert_eq!(bench.ask(2, 5), 0);
    assert_eq!(bench.cancel(2), 0);
    assert!(
        bench.dispatch(0..4).is_empty(),
        "what was asked for is taken in, owner or not"
    );
    assert_eq!(bench.dispatcher.held(), 4);
}

/// GS076.
#[test]
fn events_go_as_far_as_demand_and_what_was_not_asked_for_is_left_over() {
    let mut bench = Bench::new(Partition::new(1).unwrap());
    bench.subscribe(1, PartitionKey(0));
    assert_eq!(bench.ask(1, 3), 3);
    assert!(bench.dispatch([1]).is_empty());
    assert_eq!(bench.ask(1, 3), 3);
    assert_eq!(bench.dispatch([2, 5, 6, 7, 8, 9, 11]), [9, 11]);
    assert_eq!(bench.sent(), [(1, vec![1]), (1, vec![2, 5, 6, 7, 8])]);
}

/// GS077.
#[test]
fn partitions_can_have_names() {
    let parity = |n: &u64| Some(if n.is_multiple_of(2) { "even" } else { "odd" });
    let mut bench = Bench::new(Partition::by_name(["odd", "even"], parity).unwrap());
    bench.subscribe(1, PartitionKey("odd"));
    bench.ask(1, 6);
    assert!(bench.dispatch(0..4).is_empty());
    assert_eq!(bench.sent(), [(1, vec![1, 3])]);
    assert_eq!(bench.dispatcher.queued(&"even"), Some(2));
    assert_eq!(bench.dispatcher.queued(&"oops"), None);
}

/// GS078; what is dropped is asked for again here.
#[test]
fn an_event_without_partition_is_dropped_counted_and_asked_for_again() {
    let hash = |n: &u64| (!n.is_multiple_of(3)).then_some((n % 2) as usize);
    let mut bench = Bench::new(Partition::by_index(2, hash).unwrap());
    bench.subscribe(1, PartitionKey(0));
    bench.subscribe(2, PartitionKey(1));
    bench.ask(1, 4);
    bench.ask(2, 4);
    assert_eq!(bench.dispatch(1..=12), [12]);
    assert_eq!(
        bench.sent(),
        [(1, vec![2, 4, 8, 10]), (2, vec![1, 5, 7, 11])]
    );
    assert_eq!(bench.out.take_discarded(), 3);
    assert_eq!(
        bench.out.take_requested(),
        0,
        "12 came for 8: there is nothing to make up"
    );

    bench.ask(1, 2);
    assert!(bench.dispatch([3, 4]).is_empty());
    assert_eq!(bench.out.take_discarded(), 1);
    assert_eq!(bench.out.take_requested(), 1);
}

/// GS079.
#[test]
fn events_wait_for_a_subscriber_to_come() {
    let mut bench = bench();
    bench.subscribe(1, PartitionKey(1));
    bench.ask(1, 5);
    assert!(bench.dispatch(0..5).is_empty());
    assert_eq!(bench.dispatch([5, 6]), [5, 6]);
    assert!(bench.sent().is_empty());

    bench.subscribe(2, PartitionKey(0));
    assert_eq!(
        bench.ask(2, 5),
        5,
        "the other is still waiting for its five"
    );
    assert_eq!(bench.sent(), [(2, vec![0, 1, 2, 3, 4])]);
    assert!(bench.dispatch([15, 16]).is_empty());
    assert_eq!(bench.sent(), [(1, vec![15, 16])]);
}

/// GS080.
#[test]
fn events_wait_for_a_slow_subscriber() {
    let mut bench = bench();
    bench.subscribe(1, PartitionKey(0));
    bench.subscribe(2, PartitionKey(1));
    bench.ask(1, 5);
    bench.ask(2, 5);
    assert!(bench.dispatch([0, 1]).is_empty());
    assert!(bench.dispatch(2..10).is_empty());
    assert_eq!(bench.sent(), [(1, vec![0, 1]), (1, vec![2, 3, 4])]);
    assert_eq!(bench.ask(1, 5), 5);
    assert_eq!(bench.sent(), [(1, vec![5, 6, 7, 8, 9])]);
}

/// GS081; the events go back to the producer here.
#[test]
fn queued_events_are_handed_back_in_order_when_the_subscriber_cancels() {
    let mut bench = bench();
    bench.subscribe(1, PartitionKey(1));
    bench.ask(1, 5);
    bench.subscribe(2, PartitionKey(0));
    bench.dispatch(0..2);
    bench.dispatch(2..5);
    assert_eq!(bench.cancel(2), 5);
    let back: Vec<u64> = bench.out.take_handed_back().flatten().collect();
    assert_eq!(back, [0, 1, 2, 3, 4]);
    assert_eq!(bench.dispatcher.held(), 0);
    assert!(bench.dispatch(back).is_empty(), "they may come again");
}

/// GS085; the producer lives here.
#[test]
fn an_unknown_partition_rejects_the_event_and_names_the_known_ones() {
    let hash = |event: &u64| Some(if *event == 7 { "oops" } else { "foo" });
    let mut bench = Bench::new(Partition::by_name(["foo", "bar"], hash).unwrap());
    bench.subscribe(1, PartitionKey("foo"));
    bench.ask(1, 3);
    assert!(bench.dispatch([6, 7, 8]).is_empty());
    assert_eq!(bench.sent(), [(1, vec![6, 8])]);
    assert_eq!(bench.out.take_requested(), 1);

    let rejected = bench.out.take_rejected().next().unwrap();
    assert_eq!(rejected.event, 7);
    let DispatchError::UnknownPartition { partition, known } = rejected.error else {
        panic!("{}", rejected.error);
    };
    assert_eq!((&*partition, &*known), ("\"oops\"", "\"foo\", \"bar\""));
}

#[test]
fn an_index_out_of_range_is_an_unknown_partition() {
    let mut bench = Bench::new(Partition::by_index(2, |event: &usize| Some(*event)).unwrap());
    bench.subscribe(1, PartitionKey(1));
    bench.ask(1, 3);
    bench.dispatch([1, 2, usize::MAX]);
    assert_eq!(bench.sent(), [(1, vec![1])]);
    let rejected: Vec<usize> = bench.out.take_rejected().map(|it| it.event).collect();
    assert_eq!(rejected, [2, usize::MAX]);
}

/// GS087.
#[test]
fn partitions_are_checked_when_the_dispatcher_is_made() {
    let none = Partition::<u64>::new(0).unwrap_err();
    assert_eq!(none, PartitionError::NoPartitions);
    assert!(none.to_string().contains("at least 1"));

    let max = Partition::<u64>::MAX_PARTITIONS;
    assert!(Partition::<u64>::new(max).is_ok());
    let many = Partition::<u64>::new(usize::MAX).unwrap_err();
    assert_eq!(many, PartitionError::TooMany { max });
    assert!(many.to_string().contains("at most 65536"), "{many}");

    let twice = Partition::by_name(["a", "b", "a"], |_: &u64| None).unwrap_err();
    let partition = String::from("\"a\"");
    assert_eq!(twice, PartitionError::Duplicate { partition });
    assert!(
        twice.to_string().contains("\"a\" is given twice"),
        "{twice}"
    );
}

/// GS088; a subscription without a partition does not compile here.
#[test]
fn a_subscription_names_a_free_partition() {
    let mut bench = bench();
    bench.subscribe(1, PartitionKey(0));

    let again = bench
        .dispatcher
        .subscribe(id(1), PartitionKey(1))
        .unwrap_err();
    assert_eq!(again, SubscribeError::AlreadySubscribed { id: id(1) });

    let taken = bench
        .dispatcher
        .subscribe(id(2), PartitionKey(0))
        .unwrap_err();
    let partition = String::from("0");
    assert_eq!(
        taken,
        SubscribeError::PartitionTaken {
            partition,
            owner: id(1)
        }
    );

    let unknown = bench
        .dispatcher
        .subscribe(id(2), PartitionKey(2))
        .unwrap_err();
    let (partition, known) = (String::from("2"), String::from("0, 1"));
    assert_eq!(
        unknown,
        SubscribeError::UnknownPartition { partition, known }
    );

    bench.cancel(1);
    bench.subscribe(2, PartitionKey(0));
}

#[test]
fn an_error_does_not_list_a_thousand_partitions() {
    let mut parts = Partition::<u64>::new(1000).unwrap();
    let error = parts
        .subscribe(id(1), PartitionKey(1000))
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("15, and 984 more"), "{error}");
}

#[test]
fn equal_keys_go_to_the_same_partition() {
    let make = || Partition::by_key(8, |event: &(u64, &str)| event.0).unwrap();
    let mut bench = Bench::new(make());
    for partition in 0..8 {
        bench.subscribe(partition, PartitionKey(partition as usize));
        bench.ask(partition, 64);
    }
    bench.dispatch((0..32).map(|key| (key, "first")));
    bench.dispatch((0..32).map(|key| (key, "second")));
    let mut homes = std::collections::HashMap::new();
    for (to, events) in bench.sent() {
        for (key, _) in events {
            assert_eq!(*homes.entry(key).or_insert(to), to, "key {key}");
        }
    }
    assert_eq!(homes.len(), 32);
}

#[test]
fn with_one_partition_a_batch_is_passed_on_as_it_is() {
    let mut bench = Bench::new(Partition::new(1).unwrap());
    bench.subscribe(1, PartitionKey(0));
    bench.ask(1, 8);
    let events: Vec<u64> = (0..8).collect();
    let address = events.as_ptr();
    bench.dispatcher.dispatch(events.into(), &mut bench.out);
    let (_, batch) = bench.out.take_sends().next().unwrap();
    assert_eq!(batch.as_slice().as_ptr(), address);
}

#[test]
fn a_hash_that_panics_rejects_the_event_and_asks_for_another() {
    let hash = |event: &u64| match event {
        3 => std::panic::panic_any("expected"),
        _ => Some((event % 2) as usize),
    };
    let mut bench = Bench::new(Partition::by_index(2, hash).unwrap());
    bench.subscribe(1, PartitionKey(0));
    bench.ask(1, 8);
    assert!(bench.dispatch(0..8).is_empty());
    assert_eq!(bench.sent(), [(1, vec![0, 2, 4, 6])]);
    assert_eq!(bench.dispatcher.held(), 3);
    let rejected: Vec<_> = bench.out.take_rejected().collect();
    assert_eq!(rejected[0].event, 3);
    assert_eq!(
        rejected[0].error.to_string(),
        "the hash panicked at an event: expected"
    );
    assert_eq!(rejected.len(), 1);
    assert_eq!(bench.out.take_requested(), 1);
}

/// Few events are planned before they are moved, many are not: whatever becomes
/// of an event becomes of it either way.
#[test]
fn many_events_are_dispatched_as_few_are() {
    let hash = |event: &u64| match event % 7 {
        5 => None,
        6 if event.is_multiple_of(2) => std::panic::panic_any("expected"),
        6 => Some(9),
        part => Some(part as usize % 3),
    };
    let outcome = |at_a_time: usize| {
        let mut bench = Bench::new(Partition::by_index(3, hash).unwrap());
        bench.subscribe(1, PartitionKey(0));
        bench.subscribe(2, PartitionKey(1));
        bench.ask(1, 200);
        bench.ask(2, 10);
        let events: Vec<u64> = (0..200).collect();
        for events in events.chunks(at_a_time) {
            assert!(bench.dispatch(events.iter().copied()).is_empty());
        }
        let mut sent = vec![Vec::new(); 3];
        for (to, events) in bench.sent() {
            sent[to as usize].extend(events);
        }
        bench.ask(2, 200);
        bench.subscribe(3, PartitionKey(2));
        bench.ask(3, 200);
        let queued: Vec<u64> = bench.sent().into_iter().flat_map(|(_, it)| it).collect();
        let rejected = bench.out.take_rejected();
        let rejected: Vec<_> = rejected
            .map(|it| (it.event, it.error.to_string()))
            .collect();
        let discarded = bench.out.take_discarded();
        (
            sent,
            queued,
            rejected,
            discarded,
            bench.out.take_requested(),
        )
    };
    let many = outcome(200);
    assert_eq!(many.0[2].len(), 10);
    assert_eq!((many.2.len(), many.3, many.4), (28, 28, 56));
    assert_eq!(many, outcome(2));
}

/// What was left over when a queue was cut into pieces goes with what came after.
#[test]
fn asks_of_one_size_are_answered_from_a_queue_in_one_piece_each() {
    let parts = Partition::by_index(2, |event: &u64| Some((event % 2) as usize));
    let mut bench = Bench::new(parts.unwrap());
    bench.subscribe(1, PartitionKey(0));
    bench.subscribe(2, PartitionKey(1));
    bench.ask(2, 2_000);
    let evens = |range: std::ops::Range<u64>| range.map(|n| 2 * n);
    assert!(bench.dispatch(evens(0..700)).is_empty());
    bench.ask(1, 300);
    assert!(bench.dispatch(evens(700..900)).is_empty());
    bench.ask(1, 300);
    bench.ask(1, 300);
    let sent: Vec<_> = bench.sent().into_iter().map(|(_, events)| events).collect();
    let expected = [0..300, 300..600, 600..900].map(|range| evens(range).collect::<Vec<_>>());
    assert_eq!(sent, expected);
}

/// Around the events that find their partition full: nothing is lost, and the
/// order is kept.
#[test]
fn a_hash_that_panics_beside_a_full_partition_loses_nothing() {
    let hash = |event: &u64| match event {
        3 | 5 => std::panic::panic_any("expected"),
        4 => None,
        _ => Some((event % 2) as usize),
    };
    let parts = Partition::by_index(2, hash).unwrap().queue_bound(1);
    let mut bench = Bench::new(parts);
    bench.subscribe(1, PartitionKey(0));
    bench.subscribe(2, PartitionKey(1));
    assert_eq!(bench.ask(1, 8), 1, "the queue of the other takes one");
    assert_eq!(bench.ask(2, 5), 5);
    assert_eq!(bench.cancel(2), 0);

    // Six were asked for, and partition 1 has room for one.
    assert_eq!(bench.dispatch(1..=8), [7, 8], "7 finds it full");
    assert_eq!(bench.sent(), [(1, vec![2, 6])]);
    assert_eq!(bench.dispatcher.queued(&1), Some(1));
    assert_eq!(bench.out.take_discarded(), 1);
    let rejected: Vec<u64> = bench.out.take_rejected().map(|it| it.event).collect();
    assert_eq!(rejected, [3, 5]);
}

/// For a producer that ends: X18.
#[test]
fn what_is_queued_can_be_taken_out() {
    let mut bench = bench();
    bench.subscribe(1, PartitionKey(1));
    assert_eq!(bench.ask(1, 4), 4);
    assert!(bench.dispatch([1, 11, 2, 3]).is_empty());
    assert_eq!(bench.dispatcher.held(), 3);
    let taken = bench.dispatcher.take_held();
    let taken: Vec<u64> = taken.into_iter().flatten().collect();
    assert_eq!(taken, [1, 2, 3]);
    assert_eq!(bench.dispatcher.held(), 0);
}
