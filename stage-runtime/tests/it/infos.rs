//! Infos keep their place among the events (B7, B8, P7, H7).

use std::time::Duration;

use crate::common::{pending, soon};
use stage_runtime::ProducerHandle;
use stage_runtime::operators::from_iter;
use stage_runtime::prelude::*;
use stage_test::probe::{Call, Calls, ConsumerProbe, ProducerProbe, RelayProbe, act, emit};
use tokio::time::Instant;

type Source = ProducerHandle<ProducerProbe<char>>;

async fn buffered(bound: Option<usize>, events: &str) -> (Source, Calls<char>) {
    let (probe, calls) = ProducerProbe::silent();
    let source = match bound {
        Some(bound) => probe.stage().buffer_size(bound).spawn(),
        None => probe.stage().unbounded_buffer().spawn(),
    };
    source
        .call(emit(events.chars().collect::<Vec<_>>()))
        .await
        .expect("it runs");
    (source, calls)
}

/// A consumer that asks by hand, for as many as the test says.
async fn manual(source: &Source) -> (impl Fn(usize), Calls<char>) {
    let (probe, mut calls) = ConsumerProbe::manual();
    let consumer = probe.stage().subscribe_to(source).spawn();
    let id = calls.producer_joined().await.subscription;
    (move |count| consumer.ask(id, count), calls)
}

/// GS120
#[tokio::test(start_paused = true)]
async fn an_info_reaches_a_consumer() {
    let (probe, mut calls) = ConsumerProbe::<u64>::new();
    let consumer = probe.stage().spawn();
    consumer.info("hello").unwrap();
    consumer.stage_ref().info(7u8).unwrap();
    assert_eq!(calls.info().await, "hello");
    assert_eq!(calls.info().await, "u8");
}

/// GS120
#[tokio::test(start_paused = true)]
async fn a_consumer_handles_first_what_had_arrived() {
    let source = from_iter(0..4u64).stage().spawn();
    let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe
        .held_by(&permits)
        .stage()
        .subscribe_to(source.subscription().max_demand(4).min_demand(3))
        .spawn();
    assert_eq!(calls.events().await, [0]);
    consumer.info("after them").unwrap();
    permits.add_permits(100);
    soon(consumer.join()).await.unwrap();
    let order: Vec<_> = calls
        .drain()
        .await
        .iter()
        .filter_map(|call| match call {
            Call::Events(events) => Some(format!("{events:?}")),
            Call::Info(text) => Some((*text).to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(order, ["[1]", "[2]", "[3]", "after them"]);
}

/// GS121
#[tokio::test(start_paused = true)]
async fn an_info_reaches_a_relay_at_once_when_nothing_is_before_it() {
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let (relay, mut calls) = RelayProbe::<u64, u64>::new(|_, _| Ok(()));
    let relay = relay.stage().subscribe_to(&source).spawn();
    relay.info("hello").unwrap();
    assert_eq!(calls.info().await, "hello");
}

/// GS122
#[tokio::test(start_paused = true)]
async fn an_info_waits_for_the_input_of_a_relay() {
    let source = from_iter(0..10u64).stage().spawn();
    let (relay, mut calls) = RelayProbe::new(|events: &mut Batch<u64>, out| {
        out.extend(events);
        Ok(())
    });
    let relay = relay.stage().subscribe_to(&source).spawn();
    calls.producer_joined().await;
    pending(relay.outcome()).await;
    relay.info("behind the input").unwrap();
    calls.quiet().await;
    let (probe, mut below) = ConsumerProbe::manual();
    let consumer = probe.stage().subscribe_to(&relay).spawn();
    let id = below.producer_joined().await.subscription;
    consumer.ask(id, 3);
    assert_eq!(below.gather(3).await, [0, 1, 2]);
    calls.consumer_joined().await;
    assert_eq!(calls.gather(10).await.len(), 10);
    // Behind its buffer as well: seven events are in it.
    let before = calls.drain().await;
    assert!(
        !before.iter().any(|call| matches!(call, Call::Info(_))),
        "{before:?}"
    );
    consumer.ask(id, 7);
    assert_eq!(below.gather(7).await.len(), 7);
    assert_eq!(calls.info().await, "behind the input");
}

/// GS123
#[tokio::test(start_paused = true)]
async fn an_info_reaches_a_producer_at_once_when_its_buffer_is_empty() {
    let (source, mut calls) = buffered(Some(3), "").await;
    source.info("hello").unwrap();
    assert_eq!(calls.info().await, "hello");
}

/// GS124 GS125 GS126 GS127
#[tokio::test(start_paused = true)]
async fn an_info_to_a_producer_waits_for_what_is_in_its_buffer() {
    for (bound, events) in [
        (None, "abc"),
        (Some(3), "a"),
        (Some(3), "ab"),
        (Some(3), "abc"),
    ] {
        let (source, mut calls) = buffered(bound, events).await;
        source.info("behind").unwrap();
        calls.quiet().await;
        let (ask, mut below) = manual(&source).await;
        calls.consumer_joined().await;
        if events.len() > 1 {
            ask(events.len() - 1);
            below.gather(events.len() - 1).await;
            calls.quiet().await;
        }
        ask(1);
        below.gather(1).await;
        // P7: nothing is before it now, however much was asked for.
        assert_eq!(calls.info().await, "behind");
    }
}

/// GS128
#[tokio::test(start_paused = true)]
async fn infos_move_along_with_the_buffer() {
    let (source, mut calls) = buffered(Some(3), "abc").await;
    source.info("one").unwrap();
    let (ask, mut below) = manual(&source).await;
    calls.consumer_joined().await;
    ask(2);
    assert_eq!(below.gather(2).await, ['a', 'b']);
    calls.quiet().await;
    source.call(emit("de".chars())).await.unwrap();
    source.info("two").unwrap();
    ask(1);
    assert_eq!(below.gather(1).await, ['c']);
    assert_eq!(calls.info().await, "one");
    calls.quiet().await;
    ask(2);
    assert_eq!(below.gather(2).await, ['d', 'e']);
    assert_eq!(calls.info().await, "two");
}

/// GS129
#[tokio::test(start_paused = true)]
async fn an_info_outlives_the_events_that_were_discarded_before_it() {
    let (source, mut calls) = buffered(Some(3), "ab").await;
    source.info("sync").unwrap();
    calls.quiet().await;
    source.call(emit("cde".chars())).await.unwrap();
    assert_eq!(calls.info().await, "sync");
    assert_eq!((source.stats().discarded, source.stats().buffered), (2, 3));
}

/// GS130
#[tokio::test(start_paused = true)]
async fn several_infos_keep_their_order() {
    let (source, mut calls) = buffered(Some(10), "abc").await;
    for text in ["d", "e", "f"] {
        source.info(text).unwrap();
    }
    source.call(emit("gh".chars())).await.unwrap();
    source.info("i").unwrap();
    let (ask, mut below) = manual(&source).await;
    calls.consumer_joined().await;
    calls.quiet().await;
    ask(4);
    assert_eq!(below.gather(4).await, ['a', 'b', 'c', 'g']);
    for text in ["d", "e", "f"] {
        assert_eq!(calls.info().await, text);
    }
    calls.quiet().await;
    ask(1);
    assert_eq!(below.gather(1).await, ['h']);
    assert_eq!(calls.info().await, "i");
}

#[tokio::test(start_paused = true)]
async fn an_info_after_a_delay_comes_when_it_has_passed() {
    let (probe, mut calls) = ConsumerProbe::<u64>::new();
    let consumer = probe.stage().spawn();
    let started = Instant::now();
    consumer
        .call(act(|out| {
            out.info_after(Duration::from_secs(2), "two");
            out.info_after(Duration::from_secs(1), "one");
            out.info_after(Duration::from_secs(2), "also two");
            out.info_after(Duration::ZERO, "now");
            out.info_after(Duration::MAX, "never");
            Ok(())
        }))
        .await
        .unwrap();
    for (text, seconds) in [("now", 0), ("one", 1), ("two", 2), ("also two", 2)] {
        assert_eq!(calls.info().await, text);
        assert_eq!(started.elapsed(), Duration::from_secs(seconds));
    }
    calls.quiet().await;
}
