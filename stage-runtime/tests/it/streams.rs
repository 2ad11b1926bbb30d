//! A producer as a stream.

use crate::common::{fail, pending, soon, word};
use futures::{StreamExt, TryStreamExt};
use stage_core::SubscribeError;
use stage_runtime::Error;
use stage_runtime::ProducerHandle;
use stage_runtime::operators::{fold, from_iter, from_stream};
use stage_runtime::prelude::*;
use stage_test::probe::{ProducerProbe, act, emit};

fn counting() -> (
    ProducerHandle<ProducerProbe<u64>>,
    stage_test::probe::Calls<u64>,
) {
    let (probe, calls) = ProducerProbe::counting();
    (probe.stage().name("source").spawn(), calls)
}

#[tokio::test(start_paused = true)]
async fn a_stream_yields_everything_in_order_and_ends() {
    let source = from_iter(0..2_345u64).stage().spawn();
    let all: Vec<u64> = soon(source.subscription().into_stream().unwrap().try_collect())
        .await
        .unwrap();
    assert_eq!(all, (0..2_345).collect::<Vec<_>>());
    soon(source.join()).await.unwrap();
}

/// GS190 GS201
#[tokio::test(start_paused = true)]
async fn ten_may_be_taken_out_of_a_demand_of_a_thousand() {
    let (source, mut calls) = counting();
    let stream = source.subscription().into_stream().unwrap();
    let ten: Vec<u64> = soon(stream.take(10).try_collect()).await.unwrap();
    assert_eq!(ten, (0..10).collect::<Vec<_>>());
    assert_eq!(calls.demand().await, 1000);
    let (peer, outcome) = calls.consumer_left().await;
    assert_eq!(word(&outcome), "cancelled");
    assert_eq!(&*peer.stage, "stream of source");
    // The producer goes on.
    pending(source.outcome()).await;
}

/// GS191
#[tokio::test(start_paused = true)]
async fn three_hundred_may_be_taken_with_a_demand_of_a_hundred() {
    let (source, mut calls) = counting();
    let stream = source.subscription().max_demand(100).into_stream().unwrap();
    let many: Vec<u64> = soon(stream.take(300).try_collect()).await.unwrap();
    assert_eq!(many, (0..300).collect::<Vec<_>>());
    assert_eq!(calls.demand().await, 100);
    // It asks for 50 at a time; what arrives together is one call.
    assert_eq!(calls.demand().await % 50, 0);
    calls.consumer_left().await;
    assert!(source.stats().events_out <= 400);
}

/// GS202
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_read_to_its_end_lets_its_source_end() {
    let source = from_iter(0..10u64).stage().spawn();
    let terms = source.subscription().on_cancel(CancelMode::Transient);
    let all: Vec<u64> = soon(terms.into_stream().unwrap().try_collect())
        .await
        .unwrap();
    assert_eq!(all.len(), 10);
    soon(source.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_asks_no_more_than_its_subscription_says() {
    let (source, mut calls) = counting();
    let mut stream = source
        .subscription()
        .max_demand(4)
        .min_demand(1)
        .into_stream()
        .unwrap();
    assert_eq!(calls.demand().await, 4);
    assert_eq!(soon(stream.try_next()).await.unwrap(), Some(0));
    assert_eq!(soon(stream.try_next()).await.unwrap(), Some(1));
    assert_eq!(soon(stream.try_next()).await.unwrap(), Some(2));
    // Three of a batch of three: it asks when it is polled for the next.
    calls.consumer_joined().await;
    calls.quiet().await;
    assert_eq!(soon(stream.try_next()).await.unwrap(), Some(3));
    assert_eq!(calls.demand().await, 3);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_stream_that_was_never_polled_cancels_it() {
    let (source, mut calls) = counting();
    drop(source.subscription().into_stream().unwrap());
    calls.consumer_joined().await;
    assert_eq!(word(&calls.consumer_left().await.1), "cancelled");
}

/// E15: nothing is lost silently, and a stream has no statistics of its own.
#[tokio::test(start_paused = true)]
async fn what_a_dropped_stream_had_not_yielded_is_handed_back() {
    for polled in [false, true] {
        let (source, mut calls) = counting();
        let mut stream = source.subscription().max_demand(10).into_stream().unwrap();
        calls.demand().await;
        let mut yielded = 0;
        if polled {
            assert_eq!(soon(stream.try_next()).await.unwrap(), Some(0));
            yielded = 1;
        }
        drop(stream);
        calls.consumer_left().await;
        let stats = source.stats();
        assert_eq!(
            (stats.events_out, stats.handed_back),
            (10, 10 - yielded),
            "{polled}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_next_loses_no_event() {
    let (probe, mut calls) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let mut stream = source.subscription().into_stream().unwrap();
    calls.demand().await;
    for n in (0..10u64).step_by(2) {
        pending(stream.next()).await;
        source.call(emit([n, n + 1])).await.unwrap();
        for n in [n, n + 1] {
            assert_eq!(soon(stream.try_next()).await.unwrap(), Some(n));
        }
    }
}

/// How a stream ends by its mode and by how its producer ends: after what had
/// been emitted, with an error item if the mode lets that end its consumer.
#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_an_error_as_its_mode_says() {
    use CancelMode::{Permanent, Pooled, Temporary, Transient};
    for (mode, end, error) in [
        (Permanent, "completed", None),
        (
            Permanent,
            "cancelled",
            Some("stage `source` was cancelled: oops"),
        ),
        (Permanent, "failed", Some("stage `source` failed: oops")),
        (Transient, "completed", None),
        (Transient, "cancelled", None),
        (Transient, "failed", Some("stage `source` failed: oops")),
        (Temporary, "completed", None),
        (Temporary, "cancelled", None),
        (Temporary, "failed", None),
        (Pooled, "completed", None),
        (Pooled, "cancelled", None),
        (Pooled, "failed", None),
    ] {
        let (probe, mut calls) = ProducerProbe::silent();
        let source = probe.stage().name("source").spawn();
        let mut stream = source.subscription().on_cancel(mode).into_stream().unwrap();
        calls.demand().await;
        source.call(emit([1u64, 2])).await.unwrap();
        match end {
            "completed" => source
                .cast(act(|out| {
                    out.complete();
                    Ok(())
                }))
                .unwrap(),
            "cancelled" => source.stop("oops"),
            _ => source.cast(act(|_| fail("oops"))).unwrap(),
        }
        // A producer completes when its consumers have handled everything.
        if end != "completed" {
            soon(source.outcome()).await;
        }
        assert_eq!(soon(stream.next()).await.unwrap().unwrap(), 1);
        assert_eq!(soon(stream.next()).await.unwrap().unwrap(), 2);
        if let Some(text) = error {
            let item = soon(stream.next())
                .await
                .expect("an error comes before the end");
            assert_eq!(item.unwrap_err().to_string(), text, "{mode:?} {end}");
        }
        for _ in 0..3 {
            assert!(soon(stream.next()).await.is_none(), "{mode:?} {end}");
        }
    }
}

/// GS193 GS194 GS197 GS198
#[tokio::test(start_paused = true)]
async fn a_stream_of_an_ended_producer_says_so_unless_it_is_temporary() {
    let (source, _) = counting();
    source.stop("oops");
    soon(source.outcome()).await;
    for (mode, says) in [
        (CancelMode::Permanent, true),
        (CancelMode::Transient, true),
        (CancelMode::Temporary, false),
    ] {
        let mut stream = source.subscription().on_cancel(mode).into_stream().unwrap();
        let first = soon(stream.next()).await;
        if says {
            let Some(Err(Error::Subscribe(error))) = first else {
                panic!("{mode:?}: {first:?}");
            };
            assert!(matches!(error, SubscribeError::ProducerEnded { .. }));
        } else {
            assert!(first.is_none(), "{first:?}");
        }
        assert!(soon(stream.next()).await.is_none());
    }
    let (done, _) = counting();
    done.cast(act(|out| {
        out.complete();
        Ok(())
    }))
    .unwrap();
    soon(done.outcome()).await;
    let mut stream = done.subscription().into_stream().unwrap();
    assert!(soon(stream.next()).await.is_none());
}

/// GS195 GS196 GS199 GS200
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_refused_says_so_unless_it_is_temporary() {
    let parts = Partition::by_index(1, |_: &u64| Some(0)).unwrap();
    let source = ProducerProbe::<u64>::silent()
        .0
        .stage()
        .dispatcher(parts)
        .spawn();
    for (mode, says) in [
        (CancelMode::Permanent, true),
        (CancelMode::Transient, true),
        (CancelMode::Temporary, false),
    ] {
        let mut stream = source.partition(9).on_cancel(mode).into_stream().unwrap();
        match soon(stream.next()).await {
            Some(Err(Error::Subscribe(SubscribeError::UnknownPartition { .. }))) if says => {}
            None if !says => {}
            other => panic!("{mode:?}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_streams_share_a_producer() {
    let source = from_iter(0..5_000u64).stage().spawn();
    let one = source.subscription().max_demand(10).into_stream().unwrap();
    let two = source.subscription().max_demand(10).into_stream().unwrap();
    let mut all: Vec<u64> = soon(futures::stream::select(one, two).try_collect())
        .await
        .unwrap();
    all.sort_unstable();
    assert_eq!(all, (0..5_000).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_streams_of_a_broadcast_see_the_same_on_two_threads() {
    for _ in 0..100 {
        let source = from_iter(0..500u64)
            .stage()
            .dispatcher(Broadcast::new())
            .gate(Gate::Closed)
            .spawn();
        let one = source.subscription().max_demand(7).into_stream().unwrap();
        let even = source
            .selector(|n| n % 2 == 0)
            .max_demand(3)
            .into_stream()
            .unwrap();
        source.set_gate(Gate::Open);
        let even = tokio::spawn(even.try_collect::<Vec<u64>>());
        let all: Vec<u64> = soon(one.try_collect()).await.unwrap();
        assert_eq!(all, (0..500).collect::<Vec<_>>());
        let even = soon(even).await.unwrap().unwrap();
        assert_eq!(even, (0..500).filter(|n| n % 2 == 0).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_feed_a_pipeline() {
    let source = from_iter(0..100u64).stage().spawn();
    let stream = source.subscription().into_stream().unwrap();
    let again = from_stream(stream.map(|item| item.unwrap_or(0)))
        .stage()
        .spawn();
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&again)
        .spawn();
    assert_eq!(soon(sum.output()).await.unwrap(), 4950);
}
