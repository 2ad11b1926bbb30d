//! Reference: elixir-broadway/broadway_rabbitmq issue 3 and pull request 11, "Drain
//! messages and close connection on shutdown"; akka/akka-core issue 25349, "Source.queue
//! has cases where it can not be completed"
//!
//! A channel feeds the pipeline, and has taken events in when the pipeline is drained.
//! `send` has said `Ok` for each of them: they are handled, or counted as discarded. They
//! do not vanish. And a sender that goes on does not hold the drain up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use super::support::*;
use stage_runtime::operators::{fold, from_channel};
use stage_runtime::prelude::*;
use tokio::sync::mpsc;

#[test]
fn what_a_channel_had_taken_in_is_handled_or_counted() {
    both(8, || async {
        let pipeline = Pipeline::new();
        let (sender, receiver) = mpsc::channel(16);
        let source = from_channel(receiver)
            .stage()
            .name("source")
            .in_group(&pipeline)
            .spawn();
        let seen = seen();
        slow(&seen, 5)
            .stage()
            .subscribe_to(source.subscription().max_demand(2))
            .in_group(&pipeline)
            .spawn();
        let mut accepted = 0;
        for n in 0..18_u64 {
            sender.send(n).await.unwrap();
            accepted += 1;
        }
        pipeline.drain(Duration::from_secs(3)).await.unwrap();
        let handled = seen.lock().unwrap().len() as u64;
        let counted = source.stats().discarded;
        assert_eq!(
            handled + counted,
            accepted,
            "accepted {accepted}: handled {handled}, counted as discarded {counted}, the rest is gone"
        );
    });
}

#[test]
fn a_sender_that_goes_on_does_not_hold_a_drain_up() {
    both_busy(8, || async {
        let pipeline = Pipeline::new();
        let (sender, receiver) = mpsc::channel(4);
        let sent = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&sent);
        let feeding = tokio::spawn(async move {
            let mut n = 0_u64;
            while sender.send(n).await.is_ok() {
                n += 1;
                count.fetch_add(1, SeqCst);
                tokio::task::yield_now().await;
            }
        });
        // The handle is not kept.
        let source = from_channel(receiver)
            .stage()
            .in_group(&pipeline)
            .spawn()
            .stage_ref();
        let sum = fold(0_u64, |sum, _: u64| sum + 1)
            .stage()
            .subscribe_to(source.subscription().max_demand(3))
            .in_group(&pipeline)
            .spawn();
        until("some have passed", || sent.load(SeqCst) > 50).await;
        pipeline.drain(Duration::from_secs(2)).await.unwrap();
        assert!(sum.output().await.unwrap() <= sent.load(SeqCst));
        assert!(within(1000, feeding).await.is_some(), "the sender is told");
    });
}
