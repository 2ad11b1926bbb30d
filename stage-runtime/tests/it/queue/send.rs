//! Waiting for room.

use std::pin::pin;
use std::sync::{Arc, Mutex};

use futures::future::FutureExt;
use stage_core::Bound;
use stage_runtime::prelude::*;
use stage_runtime::queue::{PushError, QueueOptions, WhenFull, queue};

use super::{is_stored, said};
use crate::common::{pending, soon};
use crate::operators::collect;

#[tokio::test(start_paused = true)]
async fn send_waits_until_the_source_takes_an_event() {
    let (inlet, source) = queue(Bound::Events(2));
    for n in 0..2_u64 {
        inlet.send(n).await.unwrap();
    }
    let mut sending = pin!(inlet.send(2));
    pending(&mut sending).await;
    assert_eq!(inlet.counts().waiting, 1);
    let source = source.stage().spawn();
    let all = collect().stage().subscribe_to(&source).spawn();
    soon(sending).await.unwrap();
    inlet.finish();
    assert_eq!(soon(all.output()).await.unwrap(), [0, 1, 2]);
}

/// First come, first served; and a push does not overtake those who wait.
#[tokio::test(start_paused = true)]
async fn those_who_wait_are_served_in_their_order() {
    let (inlet, source) = queue(Bound::Events(1));
    inlet.send(0_u64).await.unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for n in 1..=20 {
        let (inlet, order) = (inlet.clone(), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            inlet.send(n).await.unwrap();
            order.lock().unwrap().push(n);
        }));
        tokio::task::yield_now().await;
    }
    assert_eq!(inlet.counts().waiting, 20);
    let source = source.stage().spawn();
    let all = collect()
        .stage()
        .subscribe_to(source.subscription().max_demand(1))
        .spawn();
    while inlet.counts().waiting > 0 {
        assert_eq!(said(inlet.push(99)), ("full", vec![99]));
        tokio::task::yield_now().await;
    }
    for task in tasks {
        soon(task).await.unwrap();
    }
    inlet.finish();
    assert_eq!(soon(all.output()).await.unwrap(), Vec::from_iter(0..=20));
    assert_eq!(*order.lock().unwrap(), Vec::from_iter(1..=20));
}

/// A heavy event is not overtaken by light ones for which there would be room.
#[tokio::test(start_paused = true)]
async fn a_heavy_event_is_not_starved_by_light_ones() {
    let weigh = String::len;
    let (inlet, source) = queue(Bound::Bytes { limit: 10, weigh });
    assert!(is_stored(&inlet.push("x".repeat(6))));
    let mut heavy = pin!(inlet.send("y".repeat(8)));
    assert!((&mut heavy).now_or_never().is_none());
    assert_eq!(said(inlet.push("z".to_owned())).0, "full");
    let source = source.stage().spawn();
    let mut stream = source.subscription().max_demand(1).into_stream().unwrap();
    soon(futures::StreamExt::next(&mut stream))
        .await
        .unwrap()
        .unwrap();
    soon(heavy).await.unwrap();
}

/// Reference: tokio-rs/tokio pull request 5947, "improve cancel-safety documentation for
/// mpsc::Sender::send"; smol-rs/async-channel issue 87, "Sending cancel safety"
///
/// A `send` that is dropped has pushed nothing, even if it has been given room already;
/// and its room goes to the next one.
#[tokio::test(start_paused = true)]
async fn a_send_that_is_dropped_has_pushed_nothing_and_lets_the_next_one_go_on() {
    for was_given_room in [false, true] {
        let (inlet, source) = queue(Bound::Events(1));
        inlet.send(0_u64).await.unwrap();
        let mut first = Box::pin(inlet.send(1));
        assert!((&mut first).now_or_never().is_none());
        let second = tokio::spawn({
            let inlet = inlet.clone();
            async move { inlet.send(2).await }
        });
        tokio::task::yield_now().await;
        let source = source.stage().spawn();
        let all = collect().stage().subscribe_to(&source);
        if was_given_room {
            let all = all.spawn();
            while inlet.counts().delivered == 0 {
                tokio::task::yield_now().await;
            }
            assert!(!second.is_finished(), "the first one has the room");
            drop(first);
            soon(second).await.unwrap().unwrap();
            inlet.finish();
            assert_eq!(soon(all.output()).await.unwrap(), [0, 2]);
        } else {
            drop(first);
            assert_eq!(inlet.counts().waiting, 1);
            let all = all.spawn();
            soon(second).await.unwrap().unwrap();
            inlet.finish();
            assert_eq!(soon(all.output()).await.unwrap(), [0, 2]);
        }
    }
}

/// Reference: smol-rs/async-channel issue 45, "Bounded channel fully deadlocked when
/// sender is forgotten"
///
/// A `send` that is neither polled nor dropped keeps the room that it was given, and no
/// more: the others go on with the rest.
#[tokio::test(start_paused = true)]
async fn a_send_that_is_forgotten_holds_up_no_other() {
    let (inlet, source) = queue(Bound::Events(2));
    inlet.send(0_u64).await.unwrap();
    inlet.send(1).await.unwrap();
    let mut forgotten = Box::pin(inlet.send(2));
    assert!((&mut forgotten).now_or_never().is_none());
    let source = source.stage().spawn();
    let all = collect().stage().subscribe_to(&source).spawn();
    for n in 3..100 {
        soon(inlet.send(n)).await.unwrap();
    }
    soon(forgotten).await.unwrap();
    inlet.finish();
    assert_eq!(soon(all.output()).await.unwrap().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_gets_its_event_back_when_the_queue_ends() {
    for way in 0..4 {
        let (inlet, source) = queue(Bound::Events(1));
        inlet.send(1_u64).await.unwrap();
        let mut sending = pin!(inlet.send(2));
        assert!((&mut sending).now_or_never().is_none());
        let source = match way {
            0 => {
                inlet.finish();
                None
            }
            1 => {
                inlet.detach("enough");
                None
            }
            2 => {
                drop(source);
                None
            }
            _ => {
                let source = source.stage().spawn();
                source.stop("enough");
                Some(source)
            }
        };
        assert_eq!(soon(sending).await, Err(PushError(Some(2))), "{way}");
        assert_eq!(soon(inlet.send(3)).await, Err(PushError(Some(3))));
        drop(source);
    }
}

/// With a policy that sheds, `send` waits for nothing.
#[tokio::test(start_paused = true)]
async fn send_into_a_queue_that_sheds_is_ready_at_once() {
    for policy in [WhenFull::DropOldest, WhenFull::DropNewest] {
        let options = QueueOptions::new(Bound::Events(2)).when_full(policy);
        let (inlet, _source) = queue(options);
        for n in 0..10_u64 {
            inlet.send(n).now_or_never().unwrap().unwrap();
        }
        assert_eq!((inlet.counts().len, inlet.counts().shed), (2, 8));
    }
}
