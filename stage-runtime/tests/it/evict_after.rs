//! `evict_after`: a subscriber that does not ask is evicted after a time.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use stage_core::SubscribeError;
use stage_runtime::operators::{fold, for_each_async, from_iter};
use stage_runtime::prelude::*;
use stage_runtime::{Error, SpawnError};
use stage_test::assert_settled;
use stage_test::probe::{Call, ConsumerProbe, ProducerProbe, act, emit};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::common::{cancelled, pending, soon};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Counts up to `end`, then completes.
fn counting_to(end: u64) -> (ProducerProbe<u64>, stage_test::probe::Calls<u64>) {
    let mut next = 0;
    ProducerProbe::new(move |demand, out| {
        let now = end.min(next + demand as u64);
        out.extend(next..now);
        next = now;
        if next == end {
            out.complete();
        }
        Ok(())
    })
}

/// The reason, if it was cancelled.
fn why_cancelled(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Cancelled(reason) => Some(reason.to_string()),
        _ => None,
    }
}

/// Whether the producer has ended the link.
fn has_ended(pipeline: &Pipeline, id: SubscriptionId) -> bool {
    let links = pipeline.snapshot().links;
    let link = links.iter().find(|link| link.id == id);
    link.expect("the link is listed").ended
}

/// All subscribers of a broadcast wait for one that does not come back. The demand asked
/// for: drop it after a time, akka/akka-core#20131; rocicorp/mono#6358, where one slow
/// subscriber degrades the throughput of all others for good.
#[tokio::test(start_paused = true)]
async fn one_that_does_not_ask_holds_a_broadcast_up_for_that_time_only() {
    let pipeline = Pipeline::new();
    let (probe, mut above) = counting_to(1_000);
    let hub = probe
        .stage()
        .name("hub")
        .dispatcher(Broadcast::new())
        .gate(Gate::Closed)
        .in_group(&pipeline)
        .spawn();
    let permits = Arc::new(Semaphore::new(0));
    let (probe, mut below) = ConsumerProbe::new();
    let terms = hub.subscription().max_demand(10).min_demand(5);
    let stuck = probe
        .held_by(&permits)
        .stage()
        .subscribe_to(terms.evict_after(seconds(30)))
        .in_group(&pipeline)
        .spawn();
    let id = above.consumer_joined().await.subscription;
    let fast = fold(0, |count, _: u64| count + 1)
        .stage()
        .subscribe_to(hub.subscription().evict_after(seconds(30)))
        .in_group(&pipeline)
        .spawn();
    above.consumer_joined().await;
    hub.set_gate(Gate::Open);
    sleep(Duration::from_millis(29_900)).await;
    assert_eq!(fast.stats().events_in, 10);
    assert!(!has_ended(&pipeline, id));

    sleep(Duration::from_millis(200)).await;
    assert!(has_ended(&pipeline, id));
    assert_eq!(fast.stats().events_in, 1_000);

    // It is busy still. When it is done, it learns of its eviction, and so does the hub.
    let calls = above.drain().await;
    let left = |call: &Call<u64>| matches!(call, Call::ConsumerLeft(..));
    assert!(!calls.iter().any(left), "{calls:?}");
    permits.add_permits(2);
    assert_eq!(below.gather(10).await, (0..10).collect::<Vec<_>>());
    let why = "it did not ask `hub` for events for 30 s";
    let (peer, outcome) = above.consumer_left().await;
    assert_eq!(peer.subscription, id);
    assert_eq!(why_cancelled(&outcome), Some(why.into()));
    assert_eq!(cancelled(soon(stuck.join()).await), why);
    assert_eq!(soon(fast.output()).await.unwrap(), 1_000);
    soon(hub.join()).await.unwrap();
    assert_settled(&pipeline);
}

/// A subscriber that has asked waits for the producer, and not the other way round. The
/// first form of akka/akka-core#20370 failed a stream whose source was idle, and so does
/// `timeout` in reactor/reactor-core#2062.
#[tokio::test(start_paused = true)]
async fn one_that_has_asked_stays_however_idle_the_producer_is() {
    let (probe, _above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let (probe, mut below) = ConsumerProbe::new();
    let terms = source.subscription().max_demand(2).min_demand(1);
    let consumer = probe
        .stage()
        .subscribe_to(terms.evict_after(seconds(1)))
        .spawn();
    for event in 0..3 {
        sleep(seconds(3_600)).await;
        source.call(emit([event])).await.unwrap();
        assert_eq!(below.events().await, [event]);
    }
    pending(consumer.outcome()).await;
}

/// Each ask begins the time anew, also if it is served before the producer looks again:
/// apple/servicetalk#2576 discusses timers that miss that. The slow subscriber here never
/// has demand outstanding when its producer parks.
#[tokio::test(start_paused = true)]
async fn a_slow_one_that_asks_in_time_stays() {
    let (probe, _above) = counting_to(20);
    let source = probe.stage().spawn();
    let slow = for_each_async(|_: u64| sleep(seconds(9)));
    let terms = source.subscription().max_demand(2).min_demand(1);
    let slow = slow
        .stage()
        .subscribe_to(terms.evict_after(seconds(10)))
        .spawn();
    slow.join().await.unwrap();
    source.join().await.unwrap();
}

/// One that asks too late is evicted, so the test above can fail.
#[tokio::test(start_paused = true)]
async fn a_slow_one_that_asks_too_late_is_evicted() {
    let (probe, _above) = counting_to(20);
    let source = probe.stage().name("source").spawn();
    let slow = for_each_async(|_: u64| sleep(seconds(9)));
    let terms = source.subscription().max_demand(2).min_demand(1);
    let terms = terms.evict_after(Duration::from_millis(8_500));
    let slow = slow.stage().subscribe_to(terms).spawn();
    let why = "it did not ask `source` for events for 8.5 s";
    assert_eq!(cancelled(slow.join().await), why);
}

/// A restart of the producer removes its timers, and not this one. The time in which the
/// producer waits for its restart counts.
#[tokio::test(start_paused = true)]
async fn the_time_goes_on_when_the_producer_restarts() {
    // The backoff has a jitter of up to its length.
    for (backoff, stays, gone) in [(1, 9, 11), (60, 64, 130)] {
        let pipeline = Pipeline::new();
        let policy = Restart::on_failure().backoff(seconds(backoff), seconds(backoff));
        let source = supervised(|| ProducerProbe::<u64>::silent().0)
            .restart(policy)
            .stage()
            .in_group(&pipeline)
            .spawn();
        let (probe, _calls) = ConsumerProbe::<u64>::manual();
        let consumer = probe.stage().in_group(&pipeline).spawn();
        let terms = source.subscription().on_cancel(CancelMode::Temporary);
        let terms = terms.evict_after(seconds(10));
        let id = consumer.subscribe(terms).await.unwrap();
        sleep(seconds(5)).await;
        source.cast(act(|_| Err("went wrong".into()))).unwrap();
        sleep(seconds(stays - 5)).await;
        assert!(!has_ended(&pipeline, id), "backoff {backoff}");
        sleep(seconds(gone - stays)).await;
        assert!(has_ended(&pipeline, id), "backoff {backoff}");
        assert_eq!(source.stats().restarts, 1);
    }
}

/// A stream that nobody polls does not ask. It yields what it was sent, and then why it
/// ended.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_polled_is_evicted() {
    let source = from_iter(0..100u64)
        .stage()
        .name("source")
        .dispatcher(Broadcast::new())
        .gate(Gate::Closed)
        .spawn();
    let terms = source.subscription().max_demand(10);
    let mut stream = terms.evict_after(seconds(30)).into_stream().unwrap();
    let other = source.subscription().into_stream().unwrap();
    source.set_gate(Gate::Open);
    let mut other = other.take(100);
    let began = tokio::time::Instant::now();
    let got = (&mut other).map(Result::unwrap).collect::<Vec<_>>().await;
    assert_eq!(got, (0..100).collect::<Vec<_>>());
    assert_eq!(began.elapsed().as_secs(), 30);

    let got = (&mut stream).take(10).map(Result::unwrap);
    assert_eq!(got.collect::<Vec<_>>().await, (0..10).collect::<Vec<_>>());
    let Some(Err(Error::Cancelled { reason, .. })) = soon(stream.next()).await else {
        panic!("the stream goes on");
    };
    let why = "it did not ask `source` for events for 30 s";
    assert_eq!(reason.to_string(), why);
    assert!(soon(stream.next()).await.is_none());
    // A stream settles an event when it is polled for the next one, or dropped.
    drop(other);
    soon(source.join()).await.unwrap();
}

/// Nothing can be delivered through a closed gate, so there is nothing to ask for.
#[tokio::test(start_paused = true)]
async fn silence_does_not_count_while_the_gate_is_closed() {
    let pipeline = Pipeline::new();
    let (probe, _above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().in_group(&pipeline).spawn();
    let (probe, _below) = ConsumerProbe::<u64>::manual();
    let consumer = probe.stage().in_group(&pipeline).spawn();
    let terms = source.subscription().evict_after(seconds(10));
    let id = consumer.subscribe(terms).await.unwrap();
    sleep(seconds(9)).await;
    source.set_gate(Gate::Closed);
    sleep(seconds(100)).await;
    source.set_gate(Gate::Open);
    sleep(seconds(9)).await;
    assert!(!has_ended(&pipeline, id));
    sleep(seconds(2)).await;
    assert!(has_ended(&pipeline, id));
}

/// A producer with more demand than it can meet never waits. It looks all the same.
#[tokio::test(start_paused = true)]
async fn a_producer_that_never_waits_evicts_too() {
    struct Busy;

    impl Producer for Busy {
        type Event = u64;

        async fn handle_demand(&mut self, _: usize, out: &mut Emitter<'_, u64>) -> StageResult {
            sleep(Duration::from_millis(500)).await;
            out.push(1);
            out.again();
            Ok(())
        }
    }

    let pipeline = Pipeline::new();
    let busy = Busy.stage().in_group(&pipeline).spawn();
    let greedy = fold(0, |count, _: u64| count + 1)
        .stage()
        .subscribe_to(busy.subscription().max_demand(1_000_000))
        .in_group(&pipeline)
        .spawn();
    sleep(seconds(10)).await;
    let (probe, mut below) = ConsumerProbe::manual();
    let silent = probe.stage().in_group(&pipeline).spawn();
    let terms = busy.subscription().on_cancel(CancelMode::Temporary);
    let id = soon(silent.subscribe(terms.evict_after(seconds(30))));
    let id = id.await.unwrap();
    sleep(seconds(29)).await;
    assert!(!has_ended(&pipeline, id));
    // The producer looks after every ninth call of its handler.
    sleep(seconds(6)).await;
    assert_eq!(below.producer_left().await.0.subscription, id);
    assert!(greedy.stats().events_in > 50);
}

/// Nobody waits for a subscriber that has got everything: it may take its time.
#[tokio::test(start_paused = true)]
async fn one_that_has_got_everything_is_not_evicted() {
    for dispatcher_holds in [false, true] {
        let source = from_iter(0..10u64).stage().dispatcher(Broadcast::new());
        let source = source.gate(Gate::Closed).spawn();
        let slow = for_each_async(|_: u64| sleep(seconds(100))).stage();
        let max = if dispatcher_holds { 5 } else { 10 };
        let terms = source.subscription().max_demand(max).min_demand(1);
        let slow = slow.subscribe_to(terms.evict_after(seconds(30))).spawn();
        source.set_gate(Gate::Open);
        let outcome = slow.outcome().await;
        // With events left for it, it is the one that the source waits for.
        assert_eq!(outcome.is_completed(), !dispatcher_holds, "{outcome}");
    }
}

/// The time is that of each subscription.
#[tokio::test(start_paused = true)]
async fn each_subscription_has_its_own_time() {
    let pipeline = Pipeline::new();
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().in_group(&pipeline).spawn();
    let mut ids = Vec::new();
    let mut streams = Vec::new();
    for limit in [
        Some(seconds(20)),
        None,
        Some(seconds(10)),
        Some(Duration::MAX),
    ] {
        let terms = source.subscription().max_demand(1);
        let terms = match limit {
            Some(limit) => terms.evict_after(limit),
            None => terms,
        };
        streams.push(terms.into_stream().unwrap());
        ids.push(above.consumer_joined().await.subscription);
    }
    source.call(emit(0..4)).await.unwrap();
    let ended = || {
        ids.iter()
            .map(|id| has_ended(&pipeline, *id))
            .collect::<Vec<_>>()
    };
    sleep(seconds(9)).await;
    assert_eq!(ended(), [false; 4]);
    sleep(seconds(2)).await;
    assert_eq!(ended(), [false, false, true, false]);
    sleep(seconds(10)).await;
    assert_eq!(ended(), [true, false, true, false]);
    sleep(seconds(1_000_000)).await;
    assert_eq!(ended(), [true, false, true, false]);
}

/// Zero would evict every subscriber before its first ask.
#[tokio::test(start_paused = true)]
async fn a_time_of_zero_is_refused() {
    let (probe, _above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().name("source").spawn();
    let terms = || source.subscription().evict_after(Duration::ZERO);
    let spawned = fold(0, |count, _: u64| count + 1)
        .stage()
        .subscribe_to(terms())
        .try_spawn();
    let Err(SpawnError::Subscription { error, .. }) = spawned else {
        panic!("the stage was spawned");
    };
    let running = ConsumerProbe::new().0.stage().spawn();
    let streamed = terms().into_stream().unwrap_err();
    for error in [
        error,
        running.subscribe(terms()).await.unwrap_err(),
        streamed,
    ] {
        let expected = SubscribeError::ZeroEvictAfter {
            producer: "source".into(),
        };
        assert_eq!(error, expected);
        let text = error.to_string();
        assert!(
            text.contains("evict_after is 0 s") && text.contains("longer"),
            "{text}"
        );
    }
    pending(running.outcome()).await;
}

/// A subscription that is refused, or has ended already, leaves nothing behind.
#[tokio::test(start_paused = true)]
async fn one_that_has_left_is_not_evicted() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let (probe, mut below) = ConsumerProbe::<u64>::manual();
    let consumer = probe.stage().spawn();
    let terms = source.subscription().on_cancel(CancelMode::Temporary);
    let id = consumer
        .subscribe(terms.evict_after(seconds(10)))
        .await
        .unwrap();
    above.consumer_joined().await;
    consumer.cancel(id, "enough");
    sleep(seconds(60)).await;
    assert_eq!(below.producer_left().await.0.subscription, id);
    let (peer, outcome) = above.consumer_left().await;
    assert_eq!(peer.subscription, id);
    assert_eq!(why_cancelled(&outcome), Some("enough".into()));
    above.quiet().await;
}
