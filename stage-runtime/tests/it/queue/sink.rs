//! A queue as a `futures::Sink`.

use std::pin::pin;
use std::time::Duration;

use futures::SinkExt;
use futures::future::{FutureExt, poll_fn};
use futures::stream::{self, StreamExt};
use stage_core::Bound;
use stage_runtime::prelude::*;
use stage_runtime::queue::{FromQueue, PushError, QueueOptions, QueueSink, WhenFull, queue};
use stage_test::assert_settled;
use stage_test::probe::ConsumerProbe;

use super::is_stored;
use crate::common::{pending, soon};
use crate::operators::collect;

fn channel<E: Send + 'static>(capacity: usize) -> (QueueSink<E>, FromQueue<E>) {
    let (inlet, source) = queue(Bound::Events(capacity));
    (inlet.into_sink(), source)
}

/// A sink of an error, as any `Sink` adapter sees it.
fn ready(sink: &mut QueueSink<u64>) -> impl Future<Output = Result<(), PushError<u64>>> + '_ {
    poll_fn(|cx| sink.poll_ready_unpin(cx))
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_forwarded_with_back_pressure() {
    let pipeline = Pipeline::new();
    let (sink, pushed) = channel(4);
    let pushed = pushed.stage().in_group(&pipeline).spawn();
    let taken = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = std::sync::Arc::clone(&taken);
    let numbers = stream::iter(0..1_000_u64).inspect(move |_| {
        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    });
    let forwarding = tokio::spawn(numbers.map(Ok).forward(sink));
    let (probe, mut calls) = ConsumerProbe::manual();
    let consumer = probe
        .stage()
        .subscribe_to(&pushed)
        .in_group(&pipeline)
        .spawn();
    let from = calls.producer_joined().await.subscription;
    calls.quiet().await;
    // The channel is full and one event waits in front of it.
    assert_eq!(taken.load(std::sync::atomic::Ordering::SeqCst), 5);
    consumer.ask(from, 10);
    assert_eq!(calls.gather(10).await, Vec::from_iter(0..10));
    calls.quiet().await;
    assert_eq!(taken.load(std::sync::atomic::Ordering::SeqCst), 15);
    consumer.ask(from, 10_000);
    assert_eq!(calls.gather(990).await, Vec::from_iter(10..1_000));
    soon(forwarding).await.unwrap().unwrap();
    soon(pipeline.join()).await.unwrap();
    assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn the_producer_completes_when_the_last_sink_is_closed() {
    let (mut first, pushed) = channel(4);
    let mut second = first.clone();
    let third = first.clone();
    let pushed = pushed.stage().spawn();
    let all = collect().stage().subscribe_to(&pushed).spawn();
    first.send(1_u64).await.unwrap();
    first.close().await.unwrap();
    second.send(2).await.unwrap();
    second.close().await.unwrap();
    pending(pushed.stage_ref().outcome()).await;
    // Closed is closed, and a clone of a closed one is closed.
    assert_eq!(first.send(3).await, Err(PushError(None)));
    assert_eq!(first.clone().send(3).await, Err(PushError(None)));
    let mut third = third;
    third.send(4).await.unwrap();
    drop(third);
    assert_eq!(soon(all.output()).await.unwrap(), [1, 2, 4]);
}

/// A slot was reserved and is not used: closing the sink gives it back, though the sink
/// lives on.
#[tokio::test(start_paused = true)]
async fn a_sink_that_is_closed_with_a_slot_reserved_lets_the_producer_complete() {
    let (mut sink, pushed) = channel::<u64>(1);
    let pushed = pushed.stage().spawn();
    let all = collect().stage().subscribe_to(&pushed).spawn();
    ready(&mut sink).await.unwrap();
    sink.close().await.unwrap();
    assert!(soon(all.output()).await.unwrap().is_empty());
    soon(pushed.join()).await.unwrap();
    assert_eq!(ready(&mut sink).await, Err(PushError(None)));
}

#[tokio::test(start_paused = true)]
async fn a_push_after_the_end_gives_the_event_back() {
    let (mut sink, pushed) = channel(4);
    let pushed = pushed.stage().spawn();
    sink.send(1_u64).await.unwrap();
    pushed.stop("enough");
    soon(pushed.outcome()).await;
    let error = sink.send(2).await.unwrap_err();
    assert_eq!(error, PushError(None));
    assert!(error.to_string().contains("has ended"), "{error}");
    // Whoever has not waited for room gets the event back.
    assert_eq!(sink.start_send_unpin(2), Err(PushError(Some(2))));
    assert_eq!(sink.send(3).await, Err(PushError(None)));
    let late = stream::iter([4, 5]).map(Ok).forward(sink);
    assert!(late.await.is_err());
}

/// One that waits for room is told as well, and so is one that has room.
#[tokio::test(start_paused = true)]
async fn a_sink_that_waits_is_told_when_the_producer_ends() {
    let (mut sink, pushed) = channel(2);
    let pushed = pushed.stage().spawn();
    sink.send(1_u64).await.unwrap();
    ready(&mut sink).await.unwrap();
    let mut other = sink.clone();
    let mut waiting = pin!(ready(&mut other));
    assert!((&mut waiting).now_or_never().is_none());
    pushed.abort();
    assert_eq!(soon(waiting).await, Err(PushError(None)));
    assert_eq!(sink.start_send_unpin(2), Err(PushError(Some(2))));
}

/// Its pipeline drains: what was pushed is handled, and the sink is told.
#[tokio::test(start_paused = true)]
async fn a_drain_handles_what_was_pushed_and_refuses_more() {
    let pipeline = Pipeline::new();
    let (mut sink, pushed) = channel(16);
    let pushed = pushed.stage().in_group(&pipeline).spawn();
    for n in 0..10_u64 {
        sink.send(n).await.unwrap();
    }
    let all = collect()
        .stage()
        .subscribe_to(pushed.subscription().max_demand(2))
        .in_group(&pipeline)
        .spawn();
    soon(pipeline.drain(Duration::from_secs(5))).await.unwrap();
    assert_eq!(soon(all.output()).await.unwrap(), Vec::from_iter(0..10));
    assert!(sink.send(10).await.is_err());
    assert_settled(&pipeline);
}

/// Nobody subscribes: what was pushed is counted when the stage ends.
#[tokio::test(start_paused = true)]
async fn what_nobody_asked_for_is_counted_as_discarded() {
    let (mut sink, pushed) = channel(16);
    let pushed = pushed.stage().spawn();
    for n in 0..7_u64 {
        sink.send(n).await.unwrap();
    }
    let stats = pushed.stage_ref();
    pushed.stop("enough");
    soon(pushed.outcome()).await;
    assert_eq!(stats.stats().discarded, 7);
}

#[test]
fn its_types_cross_threads_and_its_error_is_one() {
    fn is_error<E: std::error::Error + Send + Sync + 'static>() {}
    fn is_handle<T: Clone + Send + Sync + Unpin + 'static>() {}
    is_error::<PushError<u64>>();
    is_error::<stage_runtime::operators::OptionError>();
    is_handle::<QueueSink<std::cell::Cell<u64>>>();
    is_handle::<stage_runtime::queue::Inlet<std::cell::Cell<u64>>>();
}

/// Reference: tokio-rs/tokio issue 898, "tokio-sync mpsc poll_ready irrevocably reserves
/// slot"
///
/// A sink that got room and does not use it gives it back when it is closed or dropped,
/// and the next one that waits is woken.
#[tokio::test(start_paused = true)]
async fn a_slot_that_is_not_used_goes_to_the_next_one() {
    for is_closed in [false, true] {
        let (mut sink, _source) = channel::<u64>(1);
        let mut other = sink.clone();
        ready(&mut sink).await.unwrap();
        // Asking again costs no second slot.
        ready(&mut sink).await.unwrap();
        let waiting = tokio::spawn(async move { ready(&mut other).await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        if is_closed {
            sink.close().await.unwrap();
        } else {
            drop(sink);
        }
        soon(waiting).await.unwrap().unwrap();
    }
}

/// A sink does not know the weight in advance: one event of it may exceed the limit.
#[tokio::test(start_paused = true)]
async fn a_sink_waits_for_room_for_one_byte() {
    let weigh = String::len;
    let (inlet, _source) = queue(Bound::Bytes { limit: 10, weigh });
    assert!(is_stored(&inlet.push("x".repeat(9))));
    let mut sink = inlet.clone().into_sink();
    soon(sink.send("y".repeat(7))).await.unwrap();
    assert_eq!(inlet.counts().bytes, 16);
    let mut waiting = pin!(sink.send("z".to_owned()));
    assert!((&mut waiting).now_or_never().is_none());
}

/// With a policy that sheds, a sink never waits.
#[tokio::test(start_paused = true)]
async fn a_sink_of_a_queue_that_sheds_is_always_ready() {
    let options = QueueOptions::new(Bound::Events(2)).when_full(WhenFull::DropOldest);
    let (inlet, source) = queue(options);
    let numbers = stream::iter(0..100_u64).map(Ok);
    soon(numbers.forward(inlet.clone().into_sink()))
        .await
        .unwrap();
    assert_eq!((inlet.counts().len, inlet.counts().shed), (2, 98));
    drop(source);
    assert!(inlet.into_sink().send(1).await.is_err());
}
