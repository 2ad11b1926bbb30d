//! Nothing is lost silently: on two threads, with stages and subscriptions that
//! end at any moment, every event is accounted for (E15).

use std::time::Duration;

use crate::common::soon;
use stage_core::SubscribeError;
use stage_runtime::operators::{fold, from_iter};
use stage_runtime::prelude::*;
use stage_test::assert_settled;

const EVENTS: u64 = 20_000;

/// Small numbers that differ from round to round.
fn some(round: u64, salt: u64) -> u64 {
    (round + 1)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .rotate_left((salt * 7) as u32)
        >> 40
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_cancels_when_every_event_is_handled_or_counted() {
    for round in 0..200 {
        let pipeline = Pipeline::new();
        let source = from_iter(0..EVENTS)
            .stage()
            .unbounded_buffer()
            .in_group(&pipeline)
            .spawn();
        let max = |salt| 1 + (some(round, salt) % 300) as usize;
        let stays = fold(0u64, |count, _: u64| count + 1)
            .stage()
            .subscribe_to(source.subscription().max_demand(max(1)))
            .in_group(&pipeline)
            .spawn();
        let goes = fold(0u64, |count, _: u64| count + 1)
            .stage()
            .in_group(&pipeline)
            .spawn();
        let terms = source
            .subscription()
            .max_demand(max(2))
            .on_cancel(CancelMode::Temporary);
        let id = match soon(goes.subscribe(terms)).await {
            Ok(id) => Some(id),
            Err(SubscribeError::ProducerCompleted { .. }) => None,
            Err(other) => panic!("{other}"),
        };
        for _ in 0..some(round, 3) % 200 {
            std::hint::spin_loop();
        }
        match (round % 3, id) {
            (0, Some(id)) => goes.cancel(id, "enough"),
            (1, _) => goes.stop("enough"),
            _ => {}
        }
        let source_ref = source.stage_ref();
        let stays_ref = stays.stage_ref();
        soon(source.join()).await.unwrap();
        soon(stays.output()).await.unwrap();
        if round % 3 == 1 {
            soon(goes.outcome()).await;
        } else {
            // Its subscription is over; what it got it has handled when it
            // answers, or soon.
            settled(|| goes.stats().events_in).await;
        }
        let (source, stays, goes) = (source_ref.stats(), stays_ref.stats(), goes.stats());
        assert_eq!(source.events_out, EVENTS);
        assert_eq!(
            stays.events_in + goes.events_in + source.discarded + goes.discarded,
            EVENTS,
            "round {round}: {source:?} {stays:?} {goes:?}"
        );
        assert_eq!(source.buffered, 0);
        pipeline.stop("it is over");
        let _ = soon(pipeline.join()).await;
        assert_settled(&pipeline);
    }
}

/// Waits until a count has not changed for a while.
async fn settled(count: impl Fn() -> u64) {
    let mut before = count();
    let mut same = 0;
    while same < 5 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let now = count();
        same = if now == before { same + 1 } else { 0 };
        before = now;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_fails_anywhere_accounts_for_its_input() {
    for round in 0..100u64 {
        let bad = some(round, 5) % 2_000;
        let source = from_iter(0..2_000u64).stage().spawn();
        let (relay, _) = stage_test::probe::RelayProbe::new(move |events: &mut Batch<u64>, out| {
            for n in events {
                if n == bad {
                    return Err("went wrong".into());
                }
                out.push(n);
            }
            Ok(())
        });
        let terms = source.subscription().max_demand(64);
        let relay = relay.stage().subscribe_to(terms).spawn();
        let (probe, mut calls) = stage_test::probe::ConsumerProbe::new();
        let consumer = probe.stage().subscribe_to(&relay).spawn();
        assert!(soon(consumer.outcome()).await.is_failed());
        soon(relay.outcome()).await;
        let mut handled = Vec::new();
        for call in calls.drain().await {
            if let stage_test::probe::Call::Events(events) = call {
                handled.extend(events);
            }
        }
        // A prefix, in order: what was emitted and asked for stays emitted.
        assert_eq!(handled, (0..handled.len() as u64).collect::<Vec<_>>());
        let stats = relay.stats();
        assert_eq!(stats.events_out, bad);
        assert_eq!(stats.delivered, handled.len() as u64);
        // Not counted: the one event that the handler had in hand.
        assert!(stats.delivered + stats.discarded >= stats.events_out);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_lose_nothing_when_their_consumers_come_and_go() {
    for round in 0..50u64 {
        let parts = Partition::by_index(3, |n: &u64| Some((*n % 3) as usize))
            .unwrap()
            .queue_bound(50);
        let source = from_iter(0..3_000u64).stage().dispatcher(parts).spawn();
        let fixed: Vec<_> = (0..2)
            .map(|part| {
                fold(0u64, |count, _: u64| count + 1)
                    .stage()
                    .subscribe_to(source.partition(part).max_demand(10))
                    .spawn()
            })
            .collect();
        // The third partition changes hands.
        let mut handled = 0;
        let mut lost = 0;
        for _ in 0..some(round, 1) % 4 {
            let guest = fold(0u64, |count, _: u64| count + 1).stage().spawn();
            match soon(guest.subscribe(source.partition(2).max_demand(7))).await {
                Ok(_) => {}
                Err(SubscribeError::PartitionTaken { .. }) => continue,
                Err(SubscribeError::ProducerCompleted { .. }) => break,
                Err(other) => panic!("round {round}: {other}"),
            }
            guest.stop("next");
            soon(guest.outcome()).await;
            handled += guest.stats().events_in;
            lost += guest.stats().discarded;
        }
        let last = loop {
            let last = fold(0u64, |count, _: u64| count + 1).stage().spawn();
            match soon(last.subscribe(source.partition(2))).await {
                Ok(_) => break Some(last),
                // The one before has not left yet.
                Err(SubscribeError::PartitionTaken { .. }) => tokio::task::yield_now().await,
                // On a busy machine a guest may have had them all before it was
                // stopped.
                Err(SubscribeError::ProducerCompleted { .. }) => break None,
                Err(other) => panic!("round {round}: {other}"),
            }
        };
        if let Some(last) = last {
            handled += soon(last.output()).await.unwrap();
        }
        for consumer in fixed {
            assert_eq!(soon(consumer.output()).await.unwrap(), 1_000);
        }
        soon(source.outcome()).await;
        assert_eq!(
            handled + lost + source.stats().discarded,
            1_000,
            "round {round}"
        );
    }
}
