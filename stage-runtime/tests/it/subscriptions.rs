//! Subscriptions made, moved and counted while the stages run (L1 to L7).

use std::collections::BTreeMap;

use crate::common::{pending, soon, word};
use stage_core::SubscribeError;
use stage_runtime::operators::{fold, for_each, from_iter};
use stage_runtime::prelude::*;
use stage_test::probe::{ConsumerProbe, ProducerProbe, RelayProbe, emit};

/// GS131 GS147 GS158 GS172 GS176
#[tokio::test(start_paused = true)]
async fn both_ends_learn_of_a_subscription_and_its_terms() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().name("source").spawn();
    let (relay, mut middle) = RelayProbe::<u64, u64>::new(|_, _| Ok(()));
    let relay = relay.stage().name("relay").spawn();
    let (probe, mut below) = ConsumerProbe::<u64>::new();
    let sink = probe.stage().name("sink").spawn();
    let terms = source
        .subscription()
        .max_demand(7)
        .min_demand(2)
        .on_cancel(CancelMode::Transient);
    let upper = soon(relay.subscribe(terms)).await.unwrap();
    let lower = soon(sink.subscribe(&relay)).await.unwrap();
    assert_ne!(upper, lower);
    for (peer, id, name, max, min, cancel) in [
        (
            above.consumer_joined().await,
            upper,
            "relay",
            7,
            2,
            CancelMode::Transient,
        ),
        (
            middle.producer_joined().await,
            upper,
            "source",
            7,
            2,
            CancelMode::Transient,
        ),
        (
            middle.consumer_joined().await,
            lower,
            "sink",
            1000,
            500,
            CancelMode::Permanent,
        ),
        (
            below.producer_joined().await,
            lower,
            "relay",
            1000,
            500,
            CancelMode::Permanent,
        ),
    ] {
        assert_eq!(
            (peer.subscription, &*peer.stage, peer.cancel_mode),
            (id, name, cancel)
        );
        assert_eq!((peer.demand.max(), peer.demand.min()), (max, min));
    }
}

/// GS139
#[tokio::test(start_paused = true)]
async fn a_permanent_consumer_lives_on_when_its_subscription_is_moved() {
    let (first, mut firsts) = ProducerProbe::counting();
    let (second, mut seconds) = ProducerProbe::counting();
    let (first, second) = (first.stage().spawn(), second.stage().spawn());
    let (probe, mut calls) = ConsumerProbe::manual();
    let consumer = probe.stage().spawn();
    let old = soon(consumer.subscribe(&first)).await.unwrap();
    consumer.ask(old, 2);
    assert_eq!(calls.events().await, [0, 1]);
    let new = soon(consumer.resubscribe(old, "elsewhere", &second))
        .await
        .unwrap();
    assert_ne!(old, new);
    let (peer, outcome) = calls.producer_left().await;
    assert_eq!(
        (peer.subscription, outcome.to_string()),
        (old, "cancelled: elsewhere".into())
    );
    assert_eq!(
        firsts.consumer_left().await.1.to_string(),
        "cancelled: elsewhere"
    );
    assert_eq!(seconds.consumer_joined().await.subscription, new);
    consumer.ask(new, 1);
    assert_eq!(calls.events().await, [0]);
    pending(consumer.outcome()).await;
    // The new one is as permanent as ever.
    second.stop("enough");
    assert_eq!(word(&soon(consumer.outcome()).await), "cancelled");
}

/// GS140
#[tokio::test(start_paused = true)]
async fn a_subscription_that_never_was_may_be_moved() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let consumer = ConsumerProbe::<u64>::new().0.stage().spawn();
    let unknown = SubscriptionId::new(u64::MAX);
    let id = soon(consumer.resubscribe(unknown, "moved", &source))
        .await
        .unwrap();
    assert_eq!(above.consumer_joined().await.subscription, id);
    pending(consumer.outcome()).await;
}

/// GS141
#[tokio::test(start_paused = true)]
async fn a_move_with_bad_terms_is_refused() {
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let consumer = ConsumerProbe::<u64>::new().0.stage().spawn();
    let old = soon(consumer.subscribe(&source)).await.unwrap();
    for terms in [
        source.subscription().max_demand(0),
        source.subscription().min_demand(2000),
    ] {
        let refused = soon(consumer.resubscribe(old, "moved", terms))
            .await
            .unwrap_err();
        assert!(matches!(refused, SubscribeError::Demand { .. }));
    }
    pending(consumer.outcome()).await;
}

#[tokio::test(start_paused = true)]
async fn a_move_to_an_ended_producer_leaves_the_consumer_alive() {
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let (probe, _) = ProducerProbe::<u64>::silent();
    let dead = probe.stage().spawn();
    dead.stop("oops");
    soon(dead.outcome()).await;
    let consumer = ConsumerProbe::<u64>::new().0.stage().spawn();
    let old = soon(consumer.subscribe(&source)).await.unwrap();
    let refused = soon(consumer.resubscribe(old, "moved", &dead))
        .await
        .unwrap_err();
    assert!(matches!(refused, SubscribeError::ProducerEnded { .. }));
    pending(consumer.outcome()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_can_be_moved_from_one_link_to_the_next() {
    let parts = Partition::by_index(2, |n: &u64| Some((*n % 2) as usize)).unwrap();
    let source = from_iter(0..).stage().dispatcher(parts).spawn();
    let _odd = for_each(|_: u64| {})
        .stage()
        .subscribe_to(source.partition(1))
        .spawn();
    let even = for_each(|n: u64| assert_eq!(n % 2, 0)).stage().spawn();
    let mut id = soon(even.subscribe(source.partition(0))).await.unwrap();
    for round in 0..500 {
        id = soon(even.resubscribe(id, "next", source.partition(0)))
            .await
            .unwrap_or_else(|error| panic!("round {round}: {error}"));
    }
    even.stop("enough");
    soon(even.outcome()).await;
}

#[tokio::test(start_paused = true)]
async fn what_had_arrived_over_the_old_subscription_is_handled_first() {
    let (first, _) = ProducerProbe::counting();
    let first = first.stage().spawn();
    let second = from_iter(100..103u64).stage().spawn();
    let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe.held_by(&permits).stage().spawn();
    let terms = first.subscription().max_demand(4).min_demand(3);
    let old = soon(consumer.subscribe(terms)).await.unwrap();
    assert_eq!(calls.events().await, [0]);
    let moved = consumer.resubscribe(old, "moved", &second);
    permits.add_permits(100);
    soon(moved).await.unwrap();
    soon(consumer.join()).await.unwrap();
    let all = calls.gather(6).await;
    assert_eq!(all, [1, 2, 3, 100, 101, 102]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_link_keeps_its_order() {
    for _ in 0..20 {
        let sources: Vec<_> = (0..3u64)
            .map(|tag| {
                from_iter((0..1_000u64).map(move |n| (tag, n)))
                    .stage()
                    .spawn()
            })
            .collect();
        let consumers: Vec<_> = (0..3)
            .map(|index| {
                let mut builder = fold(
                    BTreeMap::new(),
                    |mut seen: BTreeMap<u64, Vec<u64>>, (tag, n)| {
                        seen.entry(tag).or_default().push(n);
                        seen
                    },
                )
                .stage();
                for source in &sources {
                    builder =
                        builder.subscribe_to(source.subscription().max_demand(10 + index * 7));
                }
                builder.spawn()
            })
            .collect();
        let mut all: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for consumer in consumers {
            for (tag, events) in soon(consumer.output()).await.unwrap() {
                assert!(events.is_sorted());
                all.entry(tag).or_default().extend(events);
            }
        }
        for tag in 0..3 {
            let events = all.get_mut(&tag).unwrap();
            events.sort_unstable();
            assert_eq!(*events, (0..1_000).collect::<Vec<_>>());
        }
    }
}

/// GS053
#[tokio::test(start_paused = true)]
async fn a_selector_keeps_what_it_wants_and_the_rest_costs_nothing() {
    let (probe, _) = ProducerProbe::counting();
    let source = probe.stage().dispatcher(Broadcast::new()).spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let terms = source
        .selector(|n| n % 100 == 0)
        .max_demand(2)
        .min_demand(0);
    probe.stage().subscribe_to(terms).spawn();
    assert_eq!(
        calls.gather(10).await,
        (0..10).map(|n| n * 100).collect::<Vec<_>>()
    );
}

/// GS138, where ours lets a consumer subscribe twice.
#[tokio::test(start_paused = true)]
async fn a_consumer_that_subscribes_twice_to_a_broadcast_gets_what_either_selects() {
    let (probe, mut above) = ProducerProbe::silent();
    let source = probe.stage().dispatcher(Broadcast::new()).spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe.stage().spawn();
    soon(consumer.subscribe(source.selector(|n| n % 2 == 0)))
        .await
        .unwrap();
    let both = soon(consumer.subscribe(source.selector(|n| n % 3 == 0)))
        .await
        .unwrap();
    above.demand().await;
    pending(consumer.outcome()).await;
    source.call(emit(0..7u64)).await.unwrap();
    let mut all = calls.gather(7).await;
    all.sort_unstable();
    assert_eq!(all, [0, 0, 2, 3, 4, 6, 6]);
    // The other subscription is none the worse for it.
    consumer.cancel(both, "enough");
    assert_eq!(word(&soon(consumer.outcome()).await), "cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_consumer_may_have_two_links_to_one_producer() {
    let source = from_iter(0..1_000u64).stage().spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe
        .stage()
        .subscribe_to(source.subscription().max_demand(3))
        .subscribe_to(source.subscription().max_demand(8))
        .spawn();
    soon(consumer.join()).await.unwrap();
    let mut all = calls.gather(1_000).await;
    all.sort_unstable();
    assert_eq!(all, (0..1_000).collect::<Vec<_>>());
}
