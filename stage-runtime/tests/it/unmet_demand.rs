//! The framework owns unmet demand: when a producer is called again (P2, P3).

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use crate::common::soon;
use stage_runtime::operators::{for_each, from_channel, from_stream};
use stage_runtime::prelude::*;
use stage_runtime::{ConsumerHandle, ProducerHandle};
use stage_test::probe::{Calls, ConsumerProbe, ProducerProbe, act, emit};
use tokio::time::Instant;

type Source = ProducerHandle<ProducerProbe<u64>>;
type Sink = ConsumerHandle<ConsumerProbe<u64>>;

/// A producer that does `answer` when asked, with a consumer that asks for 10.
fn asked_for_ten(
    answer: impl FnMut(usize, &mut Emitter<'_, u64>) -> StageResult + Send + 'static,
) -> (Source, Sink, Calls<u64>, Calls<u64>) {
    let (probe, above) = ProducerProbe::new(answer);
    let source = probe.stage().spawn();
    let (probe, below) = ConsumerProbe::new();
    let consumer = probe
        .stage()
        .subscribe_to(source.subscription().max_demand(10).min_demand(0))
        .spawn();
    (source, consumer, above, below)
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_emits_nothing_is_not_called_again_by_itself() {
    let (_source, _consumer, mut above, _below) = asked_for_ten(|_, _| Ok(()));
    above.consumer_joined().await;
    assert_eq!(above.demand().await, 10);
    above.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_waker_has_it_called_with_all_that_is_unmet() {
    let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
    let kept = Arc::clone(&waker);
    let (source, _consumer, mut above, mut below) = asked_for_ten(move |demand, out| {
        *kept.lock().unwrap() = Some(out.waker().clone());
        if demand == 10 {
            out.extend([1, 2, 3]);
        }
        Ok(())
    });
    above.consumer_joined().await;
    assert_eq!(above.demand().await, 10);
    assert_eq!(below.events().await, [1, 2, 3]);
    above.quiet().await;
    let waker = waker.lock().unwrap().clone().unwrap();
    // Woken twice before it runs, it is called once; from a foreign thread too.
    waker.wake_by_ref();
    waker.wake_by_ref();
    assert_eq!(above.demand().await, 7);
    above.quiet().await;
    let elsewhere = waker.clone();
    std::thread::spawn(move || elsewhere.wake()).join().unwrap();
    assert_eq!(above.demand().await, 7);
    source.stop("enough");
    soon(source.outcome()).await;
    // Harmless after the end.
    waker.wake();
}

#[tokio::test(start_paused = true)]
async fn a_waker_without_unmet_demand_calls_nothing() {
    let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
    let kept = Arc::clone(&waker);
    let (_source, _consumer, mut above, mut below) = asked_for_ten(|_, _| Ok(()));
    above.consumer_joined().await;
    assert_eq!(above.demand().await, 10);
    _source
        .call(act(move |out| {
            *kept.lock().unwrap() = Some(out.waker().clone());
            out.extend(0..10);
            Ok(())
        }))
        .await
        .unwrap();
    // What a message emits counts; the consumer asks for 10 again.
    assert_eq!(below.gather(10).await, (0..10).collect::<Vec<_>>());
    assert_eq!(above.demand().await, 10);
    let (idle, mut idle_calls) = ProducerProbe::<u64>::silent();
    let idle = idle.stage().spawn();
    let idle_waker: Arc<Mutex<Option<Waker>>> = Arc::default();
    let kept = Arc::clone(&idle_waker);
    idle.call(act(move |out| {
        *kept.lock().unwrap() = Some(out.waker().clone());
        out.again();
        Ok(())
    }))
    .await
    .unwrap();
    idle_waker.lock().unwrap().clone().unwrap().wake();
    idle_calls.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_delay_has_it_called_again_when_it_has_passed() {
    let started = Instant::now();
    let mut calls = 0;
    let (_source, _consumer, mut above, mut below) = asked_for_ten(move |_, out| {
        calls += 1;
        out.push(calls);
        if calls < 4 {
            // The last delay given counts.
            out.again_after(Duration::from_secs(99));
            out.again_after(Duration::from_millis(100));
        }
        Ok(())
    });
    above.consumer_joined().await;
    for (demand, millis) in [(10, 0), (9, 100), (8, 200), (7, 300)] {
        assert_eq!(above.demand().await, demand);
        assert_eq!(started.elapsed(), Duration::from_millis(millis));
    }
    assert_eq!(below.gather(4).await, [1, 2, 3, 4]);
    above.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_is_too_long_for_the_clock_is_for_ever() {
    let (source, _consumer, mut above, _below) = asked_for_ten(move |_, out| {
        out.again_after(Duration::MAX);
        Ok(())
    });
    above.consumer_joined().await;
    assert_eq!(above.demand().await, 10);
    above.quiet().await;
    source.stop("enough");
    soon(source.outcome()).await;
}

#[tokio::test(start_paused = true)]
async fn again_has_it_called_at_once_until_all_is_met() {
    let (_source, _consumer, mut above, mut below) = asked_for_ten(|_, out| {
        out.push(1);
        out.again();
        Ok(())
    });
    // Singles, but those that wait on the link are put together.
    assert_eq!(below.gather(10).await, [1; 10]);
    for demand in (1..=10).rev() {
        assert_eq!(above.demand().await, demand);
    }
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_says_again_for_ever_still_hears() {
    let (source, consumer, _above, _below) = asked_for_ten(|_, out| {
        out.again();
        Ok(())
    });
    soon(source.call(act(|_| Ok(())))).await.unwrap();
    source.stop("enough");
    soon(source.outcome()).await;
    soon(consumer.outcome()).await;
}

#[tokio::test(start_paused = true)]
async fn new_demand_has_it_called_with_the_total() {
    let (source, consumer, mut above, mut below) = asked_for_ten(|_, _| Ok(()));
    above.consumer_joined().await;
    let id = below.producer_joined().await.subscription;
    assert_eq!(above.demand().await, 10);
    consumer.ask(id, 5);
    assert_eq!(above.demand().await, 15);
    source.call(emit([1, 2, 3])).await.unwrap();
    assert_eq!(below.gather(3).await, [1, 2, 3]);
    above.quiet().await;
    consumer.ask(id, 1);
    assert_eq!(above.demand().await, 13);
}

#[tokio::test(start_paused = true)]
async fn the_demand_of_a_consumer_that_left_is_not_asked_for_twice() {
    let (source, consumer, mut above, mut below) = asked_for_ten(|_, _| Ok(()));
    let id = below.producer_joined().await.subscription;
    assert_eq!(above.demand().await, 10);
    consumer.cancel(id, "enough");
    above.consumer_left().await;
    let (probe, mut second) = ConsumerProbe::new();
    let second_stage = probe.stage().spawn();
    let ten = source.subscription().max_demand(10).min_demand(0);
    soon(second_stage.subscribe(ten)).await.unwrap();
    second.producer_joined().await;
    above.drain().await;
    source.call(emit(0..12)).await.unwrap();
    assert_eq!(second.gather(10).await, (0..10).collect::<Vec<_>>());
    // The two that were too many are not lost.
    assert_eq!(second.gather(2).await, [10, 11]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_without_events_wakes_its_producer_when_it_gets_some() {
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let source = from_channel(receiver).stage().spawn();
    let (probe, mut below) = ConsumerProbe::new();
    let consumer = probe.stage().subscribe_to(&source).spawn();
    below.producer_joined().await;
    below.quiet().await;
    for n in 0..100u64 {
        soon(sender.send(n)).await.unwrap();
    }
    assert_eq!(below.gather(100).await, (0..100).collect::<Vec<_>>());
    drop(sender);
    soon(consumer.join()).await.unwrap();
    soon(source.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_channel_is_read_only_for_what_was_asked() {
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let source = from_channel(receiver).stage().spawn();
    let (probe, mut below) = ConsumerProbe::manual();
    let consumer = probe.stage().subscribe_to(&source).spawn();
    let id = below.producer_joined().await.subscription;
    consumer.ask(id, 3);
    for n in 0..7u64 {
        soon(sender.send(n)).await.unwrap();
    }
    below.gather(3).await;
    assert_eq!(sender.try_send(7).unwrap_err().into_inner(), 7);
    consumer.ask(id, 1);
    assert_eq!(below.events().await, [3]);
    sender.try_send(7).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_waits_holds_up_no_message() {
    let stream = futures::stream::unfold(0u64, |n| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        (n < 3).then_some((n, n + 1))
    });
    let started = Instant::now();
    let source = from_stream(stream).stage().spawn();
    let (probe, mut below) = ConsumerProbe::new();
    let consumer = probe.stage().spawn();
    soon(consumer.subscribe(&source)).await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
    for n in 0..3 {
        assert_eq!(below.events().await, [n]);
        assert_eq!(started.elapsed(), Duration::from_secs(n + 1));
    }
    soon(consumer.join()).await.unwrap();
}

#[tokio::test]
async fn a_producer_that_is_busy_lets_its_consumers_run() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let (probe, _above) = ProducerProbe::new(move |_, out: &mut Emitter<'_, u64>| {
        if counted.fetch_add(1, Relaxed) == 0 {
            out.push(1);
        }
        out.again();
        Ok(())
    });
    let source = probe.stage().spawn();
    let handled_after = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&handled_after);
    let consumer = for_each(move |_: u64| seen.store(calls.load(Relaxed), Relaxed))
        .stage()
        .subscribe_to(source.subscription().max_demand(10))
        .spawn();
    while handled_after.load(Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    let calls = handled_after.load(Relaxed);
    assert!(calls <= 16, "the event was handled after {calls} calls");
    consumer.stop("seen");
}
