//! Things that happen at the same time, on two threads, many times over.

use crate::common::{fail, soon, word};
use stage_core::SubscribeError;
use stage_runtime::operators::{fold, for_each, from_channel, from_iter};
use stage_runtime::prelude::*;
use stage_test::probe::{ConsumerProbe, ProducerProbe, act, emit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_stops_while_its_source_completes_accounts_for_all() {
    for round in 0..5_000 {
        let source = from_iter(0..3u64).stage().spawn();
        let consumer = for_each(|_: u64| {})
            .stage()
            .subscribe_to(source.subscription().max_demand(2))
            .spawn();
        for _ in 0..round % 100 {
            std::hint::spin_loop();
        }
        consumer.stop("enough");
        soon(consumer.outcome()).await;
        if !source.is_ended() {
            source.stop("enough");
        }
        soon(source.outcome()).await;
        let (source, consumer) = (source.stats(), consumer.stats());
        assert_eq!(
            source.events_out,
            consumer.events_in + consumer.discarded + source.discarded,
            "round {round}: {source:?} {consumer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_modes_hold_whatever_comes_first() {
    use CancelMode::{Permanent, Temporary, Transient};
    for round in 0..600 {
        let end = ["completed", "cancelled", "failed"][round % 3];
        let mode = [Permanent, Transient, Temporary][round / 3 % 3];
        let (probe, _) = ProducerProbe::<u64>::counting();
        let source = probe.stage().spawn();
        let (probe, mut calls) = ConsumerProbe::<u64>::manual();
        let consumer = probe.stage().spawn();
        soon(consumer.subscribe(source.subscription().on_cancel(mode)))
            .await
            .unwrap();
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
        assert_eq!(word(&calls.producer_left().await.1), end);
        if mode == Permanent || (mode == Transient && end == "failed") {
            assert_eq!(word(&soon(consumer.outcome()).await), end);
        } else {
            soon(consumer.call(act(|_| Ok(())))).await.unwrap();
            assert!(!consumer.is_ended());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_to_a_producer_that_ends_is_answered_or_ended() {
    for round in 0..1_000 {
        let source = ProducerProbe::<u64>::silent().0.stage().spawn();
        let consumer = ConsumerProbe::<u64>::new().0.stage().spawn();
        let (ends, asks) = (source.stage_ref(), consumer.stage_ref());
        let asked = tokio::spawn(async move { asks.subscribe(&source).await });
        if round % 2 == 0 {
            ends.stop("oops");
        } else {
            let _ = ends.cast(act(|_| fail("oops")));
        }
        match soon(asked).await.unwrap() {
            Ok(_) => {
                let outcome = soon(consumer.outcome()).await;
                assert_eq!(word(&outcome), word(&soon(ends.outcome()).await));
            }
            Err(SubscribeError::ProducerEnded { .. }) => assert!(!consumer.is_ended()),
            Err(other) => panic!("round {round}: {other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_to_a_stage_that_ends_is_answered_or_refused() {
    for _ in 0..1_000 {
        let source = ProducerProbe::<u64>::silent().0.stage().spawn();
        let calls = source.stage_ref();
        let calling =
            tokio::spawn(async move { while calls.call(act(|_| Ok(()))).await.is_ok() {} });
        tokio::task::yield_now().await;
        source.stop("enough");
        soon(calling).await.unwrap();
        soon(source.outcome()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_into_a_channel_is_never_left_behind() {
    for round in 0..300u64 {
        let (sender, receiver) = tokio::sync::mpsc::channel(1 + (round % 7) as usize);
        let source = from_channel(receiver).stage().spawn();
        let sum = fold(0, |sum, n: u64| sum + n)
            .stage()
            .subscribe_to(source.subscription().max_demand(1 + (round % 11) as usize))
            .spawn();
        for n in 0..100 {
            soon(sender.send(n)).await.unwrap();
        }
        drop(sender);
        assert_eq!(soon(sum.output()).await.unwrap(), 4950);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waker_is_never_missed() {
    let (wakers, mut woken) = tokio::sync::mpsc::unbounded_channel();
    let mut next = 0u64;
    let mut wait = false;
    let (probe, _) = ProducerProbe::new(move |_, out| {
        // Every other call waits to be woken, from a foreign thread.
        wait = !wait;
        if wait {
            wakers.send(out.waker().clone())?;
        } else {
            out.push(next);
            next += 1;
        }
        Ok(())
    });
    let waking = std::thread::spawn(move || {
        while let Some(waker) = woken.blocking_recv() {
            std::task::Waker::wake(waker);
        }
    });
    let source = probe.stage().spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe
        .stage()
        .subscribe_to(source.subscription().max_demand(1))
        .spawn();
    for n in 0..10_000 {
        assert_eq!(calls.events().await, [n]);
    }
    consumer.stop("enough");
    source.stop("enough");
    // What the source held, the sender of wakers, is gone with it.
    soon(source.outcome()).await;
    soon(consumer.outcome()).await;
    waking.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_that_opens_and_shuts_loses_and_reorders_nothing() {
    for round in 0..50 {
        let source = from_iter(0..2_000u64).stage().spawn();
        let all = fold(Vec::new(), |mut all, n: u64| {
            all.push(n);
            all
        })
        .stage()
        .subscribe_to(source.subscription().max_demand(1 + round))
        .spawn();
        let gate = source.stage_ref();
        for _ in 0..100 {
            gate.set_gate(Gate::Closed);
            tokio::task::yield_now().await;
            gate.set_gate(Gate::Open);
            tokio::task::yield_now().await;
        }
        assert_eq!(
            soon(all.output()).await.unwrap(),
            (0..2_000).collect::<Vec<_>>()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_pushed_by_message_arrive_whoever_subscribes_when() {
    for round in 0..300 {
        let (probe, _) = ProducerProbe::silent();
        let source = probe.stage().spawn();
        let pushes = source.stage_ref();
        let pushing = tokio::spawn(async move {
            for n in 0..20u64 {
                pushes.call(emit([n])).await.unwrap();
            }
            let complete = act(|out| {
                out.complete();
                Ok(())
            });
            pushes.call(complete).await.unwrap();
        });
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        let all = fold(Vec::new(), |mut all, n: u64| {
            all.push(n);
            all
        });
        let all = all
            .stage()
            .subscribe_to(source.subscription().max_demand(3))
            .spawn();
        assert_eq!(
            soon(all.output()).await.unwrap(),
            (0..20).collect::<Vec<_>>()
        );
        soon(pushing).await.unwrap();
    }
}

/// Whoever says much to a stage must not keep it from its events. The flood is
/// bounded, so that it ends even if it is not served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_orders_does_not_keep_a_stage_from_its_events() {
    let source = from_iter(0u64..).stage().spawn();
    let (probe, mut calls) = ConsumerProbe::manual();
    let consumer = probe.stage().subscribe_to(&source).spawn();
    let id = calls.producer_joined().await.subscription;
    let flooded = source.stage_ref();
    let flood = std::thread::spawn(move || {
        for _ in 0..2_000_000 {
            flooded.set_gate(Gate::Open);
        }
    });
    // Asked for in the midst of the flood, an event comes in the midst of it.
    let mut served = 0;
    while !flood.is_finished() {
        consumer.ask(id, 1);
        soon(calls.events()).await;
        served += 1;
    }
    flood.join().unwrap();
    assert!(
        served > 2,
        "only {served} events came while the flood lasted"
    );
}
