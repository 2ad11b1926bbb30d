//! Subscriptions to a producer of which nothing is left, not even a word on
//! how it ended (L5, L6).

use crate::common::{failure, pending, soon, word};
use stage_core::SubscribeError;
use stage_runtime::ProducerHandle;
use stage_runtime::operators::from_iter;
use stage_runtime::prelude::*;
use stage_test::probe::{ConsumerProbe, ProducerProbe};
use tokio::runtime::{Builder, Runtime};

type Source = ProducerHandle<ProducerProbe<u64>>;

fn paused() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    builder.build().expect("a runtime")
}

/// The handle of a producer whose runtime was dropped before it could run.
fn absent() -> Source {
    let home = paused();
    home.block_on(async { ProducerProbe::silent().0.stage().name("absent").spawn() })
}

/// GS134, where there is a name that nobody has; here there are no names to
/// look a producer up by, and what comes nearest is a handle of nothing.
#[test]
fn a_permanent_subscription_to_nobody_ends_its_consumer() {
    let source = absent();
    paused().block_on(async {
        for mode in [CancelMode::Permanent, CancelMode::Transient] {
            let (probe, mut calls) = ConsumerProbe::<u64>::new();
            let terms = source.subscription().on_cancel(mode);
            let consumer = probe.stage().name("late").subscribe_to(terms).spawn();
            let failure = failure(soon(consumer.join()).await);
            assert_eq!(failure.stage(), "late");
            assert!(failure.to_string().contains("`absent`"), "{failure}");
            assert_eq!(word(&calls.terminated().await), "failed");

            // Whoever waits for the answer is told, and the consumer lives.
            let running = ConsumerProbe::<u64>::new().0.stage().spawn();
            let terms = source.subscription().on_cancel(mode);
            let refused = soon(running.subscribe(terms)).await.unwrap_err();
            assert!(matches!(refused, SubscribeError::ProducerEnded { .. }));
            pending(running.outcome()).await;
        }
    });
}

/// GS136
#[test]
fn a_temporary_subscription_to_nobody_does_not_end_its_consumer() {
    let source = absent();
    paused().block_on(async {
        let (probe, mut calls) = ConsumerProbe::<u64>::new();
        let terms = source.subscription().on_cancel(CancelMode::Temporary);
        let consumer = probe.stage().subscribe_to(terms).spawn();
        pending(consumer.outcome()).await;
        let other = from_iter(0..3u64).stage().spawn();
        soon(consumer.subscribe(&other)).await.unwrap();
        assert_eq!(calls.gather(3).await, [0, 1, 2]);
    });
}
