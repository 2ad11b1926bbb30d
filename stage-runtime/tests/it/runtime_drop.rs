//! A runtime that goes away while stages run (E14).

use std::sync::mpsc;
use std::time::Duration;

use crate::common::{soon, word};
use stage_core::{Outcome, SubscribeError};
use stage_runtime::operators::{fold, for_each, from_iter, map};
use stage_runtime::prelude::*;
use stage_test::probe::{Calls, ConsumerProbe, ProducerProbe};
use tokio::runtime::{Builder, Runtime};

fn runtime(threads: usize) -> Runtime {
    let mut builder = match threads {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if threads > 0 {
        builder.worker_threads(threads);
    }
    builder.enable_time().build().expect("a runtime")
}

/// Runs what must not hang on a thread of its own, so that a hang fails.
fn in_time(run: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        run();
        done.send(()).expect("the test waits");
    });
    match is_done.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("this should not take for ever"),
        _ => thread.join().expect("it should not panic"),
    }
}

#[test]
fn a_runtime_may_be_dropped_while_its_stages_run() {
    for threads in [0, 1, 2] {
        in_time(move || {
            for round in 0..20 {
                let home = runtime(threads);
                let (source, same, sink) = home.block_on(async {
                    let source = from_iter(0u64..).stage().spawn();
                    let same = map(|n: u64| n).stage().subscribe_to(&source).spawn();
                    let sink = for_each(|_: u64| {}).stage().subscribe_to(&same).spawn();
                    while same.stats().events_in < 1_000 * round {
                        tokio::task::yield_now().await;
                    }
                    (source, same, sink)
                });
                let waits = runtime(1);
                let waiting = waits.spawn({
                    let source = source.stage_ref();
                    async move { source.outcome().await }
                });
                drop(home);
                waits.block_on(async {
                    for outcome in [
                        soon(waiting).await.unwrap(),
                        soon(source.outcome()).await,
                        soon(same.outcome()).await,
                        soon(sink.outcome()).await,
                    ] {
                        assert_eq!(word(&outcome), "cancelled", "{outcome}");
                    }
                    assert!(source.is_ended());
                    assert!(soon(sink.join()).await.is_err());
                    assert!(soon(same.join_stage()).await.is_err());
                });
            }
        });
    }
}

#[test]
fn a_consumer_elsewhere_learns_that_its_producers_runtime_is_gone() {
    for threads in [0, 2] {
        in_time(move || {
            let home = runtime(threads);
            let away = runtime(1);
            let source = home.block_on(async { ProducerProbe::counting().0.stage().spawn() });
            let (probe, mut calls): (_, Calls<u64>) = ConsumerProbe::manual();
            let (consumer, id) = home.block_on(async {
                let consumer = away.spawn(async { probe.stage().spawn() }).await.unwrap();
                let id = soon(consumer.subscribe(&source)).await.unwrap();
                consumer.ask(id, 5);
                while source.stats().delivered < 5 {
                    tokio::task::yield_now().await;
                }
                (consumer, id)
            });
            drop(home);
            away.block_on(async {
                assert_eq!(calls.gather(5).await, [0, 1, 2, 3, 4]);
                let (peer, outcome) = calls.producer_left().await;
                assert_eq!((peer.subscription, word(&outcome)), (id, "cancelled"));
                assert_eq!(word(&soon(consumer.outcome()).await), "cancelled");
                // What is left of it takes nothing.
                let late = for_each(|_: u64| {}).stage().spawn();
                let refused = soon(late.subscribe(&source)).await.unwrap_err();
                assert!(
                    matches!(refused, SubscribeError::ProducerEnded { .. }),
                    "{refused}"
                );
            });
        });
    }
}

#[test]
fn a_producer_elsewhere_learns_that_its_consumers_runtime_is_gone() {
    in_time(|| {
        let home = runtime(0);
        let away = runtime(1);
        let (probe, mut calls) = ProducerProbe::counting();
        let source = away.block_on(async { probe.stage().spawn() });
        let consumer = home.block_on(async {
            let consumer = ConsumerProbe::<u64>::manual().0.stage().spawn();
            soon(consumer.subscribe(&source)).await.unwrap();
            consumer
        });
        drop(home);
        away.block_on(async {
            assert_eq!(word(&calls.consumer_left().await.1), "cancelled");
            assert_eq!(word(&soon(consumer.outcome()).await), "cancelled");
            let sum = fold(0, |sum, n: u64| sum + n).stage().spawn();
            soon(sum.subscribe(&source)).await.unwrap();
            assert!(!source.is_ended());
        });
    });
}

/// The consumer lives: it is the producer that went away before it answered.
#[test]
fn a_subscription_that_was_under_way_names_the_one_that_is_gone() {
    in_time(|| {
        let home = runtime(0);
        let away = runtime(1);
        let source = home.block_on(async { ProducerProbe::<u64>::silent().0.stage().spawn() });
        let consumer = away.block_on(async { ConsumerProbe::<u64>::new().0.stage().spawn() });
        // Nobody drives `home`, so that the subscription waits.
        let asks = away.spawn({
            let (consumer, source) = (consumer.stage_ref(), source.stage_ref());
            async move { consumer.subscribe(&source).await }
        });
        away.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
        assert!(!asks.is_finished());
        drop(home);
        let refused = away.block_on(async { soon(asks).await.unwrap().unwrap_err() });
        assert!(
            matches!(refused, SubscribeError::ProducerEnded { .. }),
            "{refused}"
        );
        assert!(!consumer.is_ended());
    });
}

#[test]
fn a_stream_ends_with_an_error_when_its_producers_runtime_is_gone() {
    in_time(|| {
        let home = runtime(0);
        let source = home.block_on(async { from_iter(0u64..).stage().spawn() });
        let mut stream = source.subscription().max_demand(3).into_stream().unwrap();
        home.block_on(async {
            while source.stats().delivered < 3 {
                tokio::task::yield_now().await;
            }
        });
        drop(home);
        runtime(0).block_on(async move {
            use futures::StreamExt;
            for n in 0..3 {
                assert_eq!(stream.next().await.unwrap().unwrap(), n);
            }
            assert!(stream.next().await.unwrap().is_err());
            assert!(stream.next().await.is_none());
        });
    });
}

#[test]
fn a_stage_spawned_on_a_runtime_that_is_gone_has_ended() {
    in_time(|| {
        let home = runtime(0);
        let gone = home.handle().clone();
        drop(home);
        let source = {
            let _entered = gone.enter();
            from_iter(0..3u64).stage().spawn()
        };
        let away = runtime(0);
        let outcome = away.block_on(async { soon(source.outcome()).await });
        assert!(matches!(outcome, Outcome::Cancelled(_)));
        let joined = away.block_on(async {
            let sum = fold(0, |sum, n: u64| sum + n)
                .stage()
                .subscribe_to(&source)
                .spawn();
            soon(sum.output()).await
        });
        assert!(joined.is_err());
    });
}

#[test]
fn the_stages_of_a_runtime_are_dropped_with_it() {
    struct Last(mpsc::Sender<()>);

    impl Drop for Last {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    in_time(|| {
        let (sender, dropped) = mpsc::channel();
        let home = runtime(2);
        let handles = home.block_on(async {
            let last = Last(sender);
            let source = from_iter(0u64..).stage().spawn();
            let sink = for_each(move |_: u64| {
                let _ = &last;
            })
            .stage()
            .subscribe_to(&source)
            .spawn();
            while sink.stats().events_in == 0 {
                tokio::task::yield_now().await;
            }
            (source, sink)
        });
        drop(home);
        assert!(handles.1.is_ended());
        // Dropped with its runtime, or given back to its handle if it came to
        // see the end of its source before that.
        drop(handles);
        dropped.try_recv().unwrap();
    });
}
