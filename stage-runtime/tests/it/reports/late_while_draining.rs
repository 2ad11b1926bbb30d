//! Reference: akka/akka-core pull request 30465, MergeHub "must immediately cancel new
//! producers while draining"
//!
//! A hub takes events from producers that come and go. While it drains, another one is
//! attached to it. That one is turned away or cut off: it does not keep the drain from its
//! end.

use std::time::Duration;

use super::support::*;
use stage_runtime::operators::{for_each, from_fn, from_iter};
use stage_runtime::prelude::*;

#[test]
fn a_producer_that_is_attached_during_a_drain_does_not_hold_it_up() {
    both_busy(12, || async {
        let pipeline = Pipeline::new();
        let inside = from_iter(0..40_u64).stage().in_group(&pipeline).spawn();
        let seen = seen();
        let hub = slow(&seen, 5)
            .stage()
            .name("hub")
            .subscribe_to(inside.subscription().max_demand(8))
            .in_group(&pipeline)
            .spawn();
        ms(10).await;
        let outside = from_fn(|| Some(7_u64)).stage().name("outside").spawn();
        let draining = tokio::spawn({
            let pipeline = pipeline.clone();
            async move { pipeline.drain(Duration::from_secs(3)).await }
        });
        ms(10).await;
        hub.subscribe(outside.subscription().max_demand(2))
            .await
            .ok();
        let drained = draining.await.unwrap();
        assert!(drained.is_ok(), "{}", drained.unwrap_err());
    });
}

/// The same, with the order of the two left to chance.
#[test]
fn attaching_and_draining_at_once() {
    for round in 0..rounds(20) {
        both_busy(12, move || async move {
            let pipeline = Pipeline::new();
            let inside = from_iter(0..100_u64).stage().in_group(&pipeline).spawn();
            let hub = for_each(|_: u64| ())
                .stage()
                .subscribe_to(&inside)
                .in_group(&pipeline)
                .spawn();
            let outside = from_fn(|| Some(7_u64)).stage().spawn();
            let attaching = tokio::spawn({
                let (hub, outside) = (hub.stage_ref(), outside.stage_ref());
                async move {
                    for _ in 0..round % 7 {
                        tokio::task::yield_now().await;
                    }
                    hub.subscribe(outside.subscription().max_demand(2)).await
                }
            });
            for _ in 0..round % 5 {
                tokio::task::yield_now().await;
            }
            let drained = pipeline.drain(Duration::from_secs(2)).await;
            assert!(drained.is_ok(), "{}", drained.unwrap_err());
            attaching.await.unwrap().ok();
        });
    }
}
