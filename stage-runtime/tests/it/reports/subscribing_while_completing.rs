//! Own: subscribing a stage to another producer while it completes.
//!
//! A relay has got the end of its only producer, and waits for a slow consumer to take what
//! it emitted. It is subscribed to another producer then. Either that is refused, or the
//! events of that producer arrive: `Ok`, and nothing of it, is neither.

use std::sync::atomic::Ordering::SeqCst;

use super::support::*;
use stage_runtime::operators::{from_iter, map};
use stage_runtime::prelude::*;

#[test]
fn a_relay_that_completes_refuses_a_new_producer_or_serves_it() {
    both(10, || async {
        let first = from_iter(0..10_u64).stage().name("first").spawn();
        let relay = map(|n: u64| n)
            .stage()
            .name("relay")
            .subscribe_to(&first)
            .spawn();
        let seen = seen();
        let sink = slow(&seen, 30)
            .stage()
            .subscribe_to(relay.subscription().max_demand(2))
            .spawn();
        first.outcome().await;
        // The relay has handled everything, and its consumer has not.
        until("the relay has emitted all", || {
            relay.stats().events_out == 10
        })
        .await;
        ms(20).await;
        assert!(!relay.is_ended());
        let second = count(5);
        let made = second.made.clone();
        let second = second.stage().name("second").spawn();
        let taken = within(2000, relay.subscribe(&second))
            .await
            .expect("answered");
        relay.outcome().await;
        sink.join().await.unwrap();
        let arrived = seen.lock().unwrap().len();
        assert!(
            taken.is_err() || arrived == 15,
            "the subscription was taken ({taken:?}), {} events were asked for, and {} of them arrived",
            made.load(SeqCst),
            arrived - 10,
        );
    });
}

/// The same race for a plain consumer.
#[test]
fn a_consumer_that_completes_refuses_a_new_producer_or_serves_it() {
    for round in 0..rounds(100) {
        both(8, move || async move {
            let first = from_iter(0..3_u64).stage().spawn();
            let consumer = all()
                .stage()
                .subscribe_to(first.subscription().max_demand(1))
                .spawn();
            let second = from_iter(10..13_u64).stage().spawn();
            for _ in 0..round % 23 {
                tokio::task::yield_now().await;
            }
            let taken = consumer.subscribe(&second).await;
            let mut events = consumer.join_stage().await.unwrap().0;
            events.sort_unstable();
            match taken {
                Ok(_) => assert_eq!(events, [0, 1, 2, 10, 11, 12]),
                Err(_) => assert_eq!(events, [0, 1, 2]),
            }
        });
    }
}
