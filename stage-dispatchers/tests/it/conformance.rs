//! The four dispatchers keep the contract of `Dispatcher`.

use stage_core::{Bound, Dispatcher, WhenFull};
use stage_dispatchers::{
    Broadcast, Demand, Detached, Partition, PartitionKey, Selector, SubscriberQueue,
};
use stage_test::conformance::Conformance;

#[test]
fn demand_conforms() {
    Conformance::new(Demand::new, |_| (), |number| number).check();
}

#[test]
fn shuffled_demand_conforms() {
    let make = || Demand::new().shuffle_first(7);
    Conformance::new(make, |_| (), |number| number).check();
}

#[test]
fn broadcast_conforms() {
    Conformance::new(Broadcast::new, |_| Selector::all(), |number| number)
        .to_every_subscriber(|_, _| true)
        .check();
}

/// Subscriber 0 wants everything, the others what does not divide by their
/// number plus one.
#[test]
fn broadcast_with_selectors_conforms() {
    fn wants(subscriber: usize, event: u64) -> bool {
        subscriber == 0 || !event.is_multiple_of(subscriber as u64 + 1)
    }
    let route = |subscriber| match subscriber {
        0 => Selector::all(),
        _ => Selector::new(move |event| wants(subscriber, *event)),
    };
    Conformance::new(Broadcast::new, route, |number| number)
        .to_every_subscriber(|subscriber, event| wants(subscriber, *event))
        .check();
}

#[test]
fn partition_conforms() {
    let make = || Partition::new(4).unwrap();
    Conformance::new(make, PartitionKey, |number| number).check();
}

/// Some events go nowhere and some to a partition that does not exist.
#[test]
fn partition_that_drops_and_rejects_conforms() {
    let hash = |event: &u64| match event % 6 {
        4 => None,
        partition => Some(["a", "b", "c", "d", "", "oops"][partition as usize]),
    };
    let make = move || Partition::by_name(["a", "b", "c", "d"], hash).unwrap();
    let route = |subscriber: usize| PartitionKey(["a", "b", "c", "d"][subscriber]);
    Conformance::new(make, route, |number| number).check();
}

/// At the bound a partition holds the others up, so only the end is the same.
#[test]
fn boxed_dispatchers_conform() {
    let make = || Box::new(Demand::new()) as Box<dyn Dispatcher<Event = String, Route = ()>>;
    Conformance::new(make, |_| (), |number| number.to_string()).check();
}

const POLICIES: [WhenFull; 4] = [
    WhenFull::DropOldest,
    WhenFull::DropNewest,
    WhenFull::Wait,
    WhenFull::Detach,
];

/// An event with a weight of 1 to 3 bytes.
const BYTES: Bound<u64> = Bound::Bytes {
    limit: 12,
    weigh: |event| 1 + (*event % 3) as usize,
};

#[test]
fn detached_conforms_with_every_policy() {
    for when_full in POLICIES {
        for bound in [
            Bound::Events(0),
            Bound::Events(1),
            Bound::Events(7),
            BYTES,
            Bound::Unbounded,
        ] {
            let route = move |_| SubscriberQueue::new().bound(bound).when_full(when_full);
            Conformance::new(Detached::new, route, |number| number)
                .to_every_subscriber_in_its_own_time(|_, _| true)
                .check();
        }
    }
}

/// One of each policy, with selectors, and a producer that runs without any of them.
#[test]
fn detached_conforms_with_mixed_subscribers() {
    fn wants(subscriber: usize, event: u64) -> bool {
        subscriber == 0 || !event.is_multiple_of(subscriber as u64 + 1)
    }
    for bound in [Bound::Events(5), BYTES] {
        let route = move |subscriber| {
            let queue = SubscriberQueue::new()
                .bound(bound)
                .when_full(POLICIES[subscriber]);
            match subscriber {
                0 => queue,
                _ => queue.selector(Selector::new(move |event| wants(subscriber, *event))),
            }
        };
        Conformance::new(|| Detached::new().hot(), route, |number| number)
            .to_every_subscriber_in_its_own_time(|subscriber, event| wants(subscriber, *event))
            .check();
    }
}
