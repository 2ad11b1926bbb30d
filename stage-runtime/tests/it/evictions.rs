//! The producing side ends a subscription: a producer by `cancel`, a dispatcher by
//! `evict`, the rest of the program by its handle.

use std::num::NonZeroUsize;
use std::sync::Arc;

use stage_core::{Deliveries, Dispatcher, SubscribeError};
use stage_runtime::operators::{fold, from_iter};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{Call, ConsumerProbe, ProducerProbe, RelayProbe, act, emit};
use tokio::sync::Semaphore;

use crate::common::{cancelled, pending, soon};

fn is_cancelled_for(outcome: &Outcome, why: &str) -> bool {
    matches!(outcome, Outcome::Cancelled(reason) if reason.to_string() == why)
}

/// A producer that cancels was passed over in silence. The consumer ends, because its
/// subscription is permanent, as in elixir-lang/gen_stage#222.
#[tokio::test(start_paused = true)]
async fn a_producer_cancels_after_the_events_that_it_has_sent() {
    let pipeline = Pipeline::new();
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().in_group(&pipeline).spawn();
    let (probe, mut below) = ConsumerProbe::new();
    let consumer = probe
        .stage()
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    let id = above.consumer_joined().await.subscription;
    above.demand().await;
    let cancel = act(move |out| {
        out.extend([1, 2, 3]);
        out.cancel(id, "enough");
        Ok(())
    });
    source.call(cancel).await.unwrap();

    assert_eq!(below.events().await, [1, 2, 3]);
    let (peer, outcome) = below.producer_left().await;
    assert_eq!(peer.subscription, id);
    assert!(is_cancelled_for(&outcome, "enough"));
    let (peer, outcome) = above.consumer_left().await;
    assert_eq!(peer.subscription, id);
    assert!(is_cancelled_for(&outcome, "enough"));
    assert_eq!(cancelled(soon(consumer.join()).await), "enough");
    pending(source.outcome()).await;
    assert_settled(&pipeline);
}

/// The other consumers are served while an evicted one is still busy, and its events
/// are settled when it is done: it may handle them, or hand them back.
#[tokio::test(start_paused = true)]
async fn what_an_evicted_consumer_does_not_handle_goes_back() {
    for fails in [false, true] {
        let (probe, mut above) = ProducerProbe::<u64>::silent();
        let source = probe.stage().spawn();
        let permits = Arc::new(Semaphore::new(0));
        let (probe, mut slow) = ConsumerProbe::new();
        let probe = probe.held_by(&permits).on_call(move |call| match call {
            Call::Events(events) if fails && events.contains(&2) => Err("went wrong".into()),
            _ => Ok(()),
        });
        let terms = source.subscription().max_demand(4).min_demand(2);
        let consumer = probe
            .stage()
            .subscribe_to(terms.on_cancel(CancelMode::Transient))
            .spawn();
        let id = above.consumer_joined().await.subscription;
        above.demand().await;
        source.call(emit(0..4)).await.unwrap();
        assert_eq!(slow.events().await, [0, 1]);
        source.evict(id, "it is too slow");

        // It has no demand any more, so new events wait for the next consumer.
        pending(above.consumer_left()).await;
        source.call(emit([4])).await.unwrap();
        let (probe, mut next) = ConsumerProbe::new();
        probe.stage().subscribe_to(&source).spawn();
        assert_eq!(next.events().await, [4]);

        permits.add_permits(2);
        if fails {
            assert!(soon(consumer.outcome()).await.is_failed());
            // The probe takes nothing, so both go back.
            assert_eq!(next.gather(2).await, [2, 3]);
        } else {
            assert_eq!(slow.events().await, [2, 3]);
            assert!(is_cancelled_for(
                &slow.producer_left().await.1,
                "it is too slow"
            ));
            pending(consumer.outcome()).await;
        }
        let (peer, outcome) = above.consumer_left().await;
        assert_eq!(peer.subscription, id);
        assert!(is_cancelled_for(&outcome, "it is too slow"));
        let stats = source.stats();
        assert_eq!(
            (stats.discarded, stats.handed_back),
            (0, if fails { 2 } else { 0 })
        );
    }
}

/// A consumer that is evicted, or has left, may subscribe again and is served:
/// elixir-lang/gen_stage#77, where a producer cancels all of its consumers and new
/// demand does not reach it.
#[tokio::test(start_paused = true)]
async fn a_consumer_that_was_evicted_can_subscribe_again() {
    let (probe, mut above) = ProducerProbe::<u64>::counting();
    let source = probe.stage().spawn();
    let (probe, mut below) = ConsumerProbe::new();
    let consumer = probe.stage().spawn();
    for round in 0..3 {
        let terms = source.subscription().max_demand(10);
        let id = consumer
            .subscribe(terms.on_cancel(CancelMode::Temporary))
            .await
            .unwrap();
        assert!(!below.events().await.is_empty(), "round {round}");
        source.evict(id, "next");
        assert_eq!(below.producer_left().await.0.subscription, id);
        assert_eq!(above.consumer_left().await.0.subscription, id);
    }
}

/// Evicting one that has left, was evicted, or never was there has no effect.
#[tokio::test(start_paused = true)]
async fn an_unknown_subscription_is_ignored() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let (probe, mut below) = ConsumerProbe::new();
    probe.stage().subscribe_to(&source).spawn();
    let id = above.consumer_joined().await.subscription;
    source.evict(SubscriptionId::new(u64::MAX), "nobody");
    source.call(emit([1])).await.unwrap();
    assert_eq!(below.events().await, [1]);
    source.evict(id, "first");
    source.evict(id, "second");
    assert!(is_cancelled_for(&above.consumer_left().await.1, "first"));
    source.evict(id, "third");
    let again = above.drain().await;
    assert!(
        !again
            .iter()
            .any(|call| matches!(call, Call::ConsumerLeft(..))),
        "{again:?}"
    );
}

/// A stream yields what it was sent, then the reason.
#[tokio::test(start_paused = true)]
async fn a_stream_is_evicted_after_its_events() {
    use futures::StreamExt;
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let mut stream = source.subscription().into_stream().unwrap();
    let id = above.consumer_joined().await.subscription;
    source.call(emit([1, 2])).await.unwrap();
    source.evict(id, "enough");
    assert_eq!(soon(stream.next()).await.unwrap().unwrap(), 1);
    assert_eq!(soon(stream.next()).await.unwrap().unwrap(), 2);
    let error = soon(stream.next()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("enough"), "{error}");
    assert!(soon(stream.next()).await.is_none());
    assert_eq!(above.consumer_left().await.0.subscription, id);
}

/// A stream that is dropped with events in it hands them back.
#[tokio::test(start_paused = true)]
async fn a_stream_that_was_evicted_hands_back_what_it_did_not_yield() {
    use futures::StreamExt;
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let mut stream = source.subscription().into_stream().unwrap();
    let id = above.consumer_joined().await.subscription;
    source.call(emit([1, 2, 3])).await.unwrap();
    source.evict(id, "enough");
    assert_eq!(soon(stream.next()).await.unwrap().unwrap(), 1);
    drop(stream);
    above.consumer_left().await;
    assert_eq!(
        (source.stats().handed_back, source.stats().buffered),
        (2, 2)
    );
}

/// A producer that completes with an evicted consumer in its handler waits for it, as
/// for any other (E2).
#[tokio::test(start_paused = true)]
async fn a_producer_completes_when_an_evicted_consumer_has_settled() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let permits = Arc::new(Semaphore::new(0));
    let (probe, mut below) = ConsumerProbe::new();
    probe
        .held_by(&permits)
        .stage()
        .subscribe_to(&source)
        .spawn();
    let id = above.consumer_joined().await.subscription;
    above.demand().await;
    let finish = act(move |out| {
        out.push(1);
        out.cancel(id, "enough");
        out.complete();
        Ok(())
    });
    source.call(finish).await.unwrap();
    assert_eq!(below.events().await, [1]);
    pending(source.outcome()).await;
    permits.add_permits(1);
    assert!(soon(source.outcome()).await.is_completed());
    assert!(is_cancelled_for(&below.producer_left().await.1, "enough"));
}

/// If the producer ends first, the consumer sees the reason of its eviction, and what
/// it does not handle is counted.
#[tokio::test(start_paused = true)]
async fn a_producer_that_stops_leaves_the_reason_of_the_eviction() {
    let pipeline = Pipeline::new();
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().in_group(&pipeline).spawn();
    let permits = Arc::new(Semaphore::new(0));
    let (probe, mut below) = ConsumerProbe::new();
    let consumer = probe
        .held_by(&permits)
        .stage()
        .subscribe_to(source.subscription().max_demand(2).min_demand(1))
        .in_group(&pipeline)
        .spawn();
    let id = above.consumer_joined().await.subscription;
    above.demand().await;
    source.call(emit([1, 2])).await.unwrap();
    below.events().await;
    source.evict(id, "too slow");
    source.call(emit([])).await.unwrap();
    source.stop("over");
    soon(source.outcome()).await;
    permits.add_permits(2);
    assert_eq!(cancelled(soon(consumer.join()).await), "too slow");
    assert_settled(&pipeline);
}

/// In a producer-consumer one word ends a subscription of either side.
#[tokio::test(start_paused = true)]
async fn a_producer_consumer_cancels_on_both_sides() {
    let source = from_iter(0..u64::MAX).stage().spawn();
    let (probe, mut calls) = RelayProbe::new(|events: &mut Batch<u64>, out| {
        out.extend(events);
        Ok(())
    });
    let relay = probe.stage().spawn();
    let upper = source.subscription().on_cancel(CancelMode::Temporary);
    let upper = relay.subscribe(upper).await.unwrap();
    let (probe, mut below) = ConsumerProbe::new();
    let consumer = probe.stage().spawn();
    let lower = consumer.subscribe(&relay).await.unwrap();
    below.events().await;
    let cancel = act(move |out| {
        out.cancel(lower, "below");
        out.cancel(upper, "above");
        Ok(())
    });
    relay.call(cancel).await.unwrap();
    assert_eq!(cancelled(soon(consumer.join()).await), "below");
    assert!(is_cancelled_for(&calls.producer_left().await.1, "above"));
    assert!(is_cancelled_for(&calls.consumer_left().await.1, "below"));
    pending(relay.outcome()).await;
}

/// Serves everybody, and evicts whom it has delivered `most` events.
#[derive(Default)]
struct Quota {
    most: usize,
    subscribers: Vec<(SubscriptionId, usize, usize)>,
    cancelled: usize,
}

impl Dispatcher for Quota {
    type Event = u64;
    type Route = ();

    fn subscribe(&mut self, id: SubscriptionId, (): ()) -> Result<usize, SubscribeError> {
        self.subscribers.push((id, 0, self.most));
        Ok(0)
    }

    fn cancel(&mut self, id: SubscriptionId, _: &mut Deliveries<u64>) -> usize {
        self.cancelled += 1;
        self.subscribers.retain(|(other, ..)| *other != id);
        0
    }

    fn ask(&mut self, id: SubscriptionId, more: NonZeroUsize, _: &mut Deliveries<u64>) -> usize {
        let found = self.subscribers.iter_mut().find(|(other, ..)| *other == id);
        found.map_or(0, |(_, demand, _)| {
            *demand += more.get();
            more.get()
        })
    }

    fn dispatch(&mut self, mut events: Batch<u64>, out: &mut Deliveries<u64>) -> Batch<u64> {
        for (id, demand, left) in &mut self.subscribers {
            let now = events.split_to((*demand).min(*left));
            *demand -= now.len();
            *left -= now.len();
            if *left == 0 {
                out.evict(*id, "its quota is used up");
            }
            out.deliver(*id, now);
        }
        events
    }
}

/// The dispatcher's `cancel` is called, and the next consumer is served from the
/// buffer. With a hanging subscriber after an eviction, as in
/// bluesky-social/indigo#417, this would wait for ever.
#[tokio::test(start_paused = true)]
async fn a_dispatcher_evicts() {
    let pipeline = Pipeline::new();
    let quota = Quota {
        most: 10,
        ..Quota::default()
    };
    let source = from_iter(0..25u64)
        .stage()
        .dispatcher(quota)
        .in_group(&pipeline)
        .spawn();
    let mut all = Vec::new();
    for (round, expected) in [(0, 10), (1, 10)] {
        let (probe, mut below) = ConsumerProbe::new();
        let terms = source.subscription().max_demand(7);
        let consumer = probe
            .stage()
            .subscribe_to(terms)
            .in_group(&pipeline)
            .spawn();
        let why = cancelled(soon(consumer.join()).await);
        assert_eq!(why, "its quota is used up", "round {round}");
        let mut got = Vec::new();
        for call in below.drain().await {
            if let Call::Events(events) = call {
                got.extend(events);
            }
        }
        assert_eq!(got.len(), expected, "round {round}");
        all.extend(got);
    }
    assert_eq!(all, (0..20).collect::<Vec<_>>());
    let last = fold(0, |count, _: u64| count + 1)
        .stage()
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    assert_eq!(soon(last.output()).await.unwrap(), 5);
    soon(source.join()).await.unwrap();
    assert_settled(&pipeline);
}

/// On two threads, consumers are evicted, cancel, stop and are dropped at any moment:
/// no deadlock, and every event is accounted for. A consumer that registers while
/// another is removed lost elements in apache/pekko#1836.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_ends_a_subscription_when_every_event_is_accounted_for() {
    const EVENTS: u64 = 10_000;
    for round in 0..150u64 {
        let pipeline = Pipeline::new();
        let source = from_iter(0..EVENTS)
            .stage()
            .unbounded_buffer()
            .in_group(&pipeline)
            .spawn();
        let stays = fold(0u64, |count, _: u64| count + 1)
            .stage()
            .subscribe_to(source.subscription().max_demand(50))
            .in_group(&pipeline)
            .spawn();
        let goes = fold(0u64, |count, _: u64| count + 1)
            .stage()
            .in_group(&pipeline)
            .spawn();
        let terms = source.subscription().max_demand(1 + round as usize % 99);
        let terms = terms.on_cancel(CancelMode::Temporary);
        let Ok(id) = soon(goes.subscribe(terms)).await else {
            continue;
        };
        for _ in 0..(round * 37) % 500 {
            std::hint::spin_loop();
        }
        let (one, other) = (source.stage_ref(), goes.stage_ref());
        let evicts = tokio::spawn(async move { one.evict(id, "evicted") });
        match round % 4 {
            0 => other.cancel(id, "cancelled"),
            1 => other.stop("stopped"),
            2 => other.abort(),
            _ => {}
        }
        evicts.await.unwrap();
        let source_ref = source.stage_ref();
        soon(source.join()).await.unwrap();
        let stayed = soon(stays.output()).await.unwrap();
        pipeline.stop("it is over");
        soon(other.outcome()).await;
        let (source, goes) = (source_ref.stats(), goes.stats());
        assert_eq!(
            stayed + goes.events_in + source.discarded + goes.discarded,
            EVENTS,
            "round {round}: {source:?} {goes:?}"
        );
        let _ = soon(pipeline.join()).await;
        assert_settled(&pipeline);
    }
}
