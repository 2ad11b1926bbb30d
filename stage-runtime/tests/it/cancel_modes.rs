//! What the end of a subscription does at both of its ends (E7 to E9).

use crate::common::{fail, pending, soon, word};
use stage_runtime::ProducerHandle;
use stage_runtime::prelude::*;
use stage_test::probe::{Calls, ConsumerProbe, ProducerProbe, RelayProbe, act};

type Source = ProducerHandle<ProducerProbe<u64>>;

/// How a test has a producer end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Completed,
    Cancelled,
    Failed,
}

impl End {
    const ALL: [Self; 3] = [Self::Completed, Self::Cancelled, Self::Failed];

    fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    async fn bring_about(self, source: Source) {
        match self {
            Self::Completed => source
                .cast(act(|out| {
                    out.complete();
                    Ok(())
                }))
                .expect("it runs"),
            Self::Cancelled => source.stop("oops"),
            Self::Failed => source.cast(act(|_| fail("oops"))).expect("it runs"),
        }
        // A producer completes when its consumers have handled everything.
        if self != Self::Completed {
            assert_eq!(word(&soon(source.outcome()).await), self.word());
        }
    }
}

/// Whether the end of the only subscription ends its consumer: the table in the
/// documentation of `Cancel`.
fn ends(mode: CancelMode, end: End) -> bool {
    match mode {
        CancelMode::Permanent | CancelMode::Pooled => true,
        CancelMode::Transient => end == End::Failed,
        CancelMode::Temporary => false,
    }
}

const MODES: [CancelMode; 3] = [
    CancelMode::Permanent,
    CancelMode::Transient,
    CancelMode::Temporary,
];

fn source() -> Source {
    ProducerProbe::silent().0.stage().name("source").spawn()
}

async fn check_told(calls: &mut Calls<u64>, mode: CancelMode, end: End) {
    let (peer, outcome) = calls.producer_left().await;
    assert_eq!(word(&outcome), end.word(), "{mode:?}");
    assert_eq!(&*peer.stage, "source");
    assert_eq!(peer.cancel_mode, mode);
    if end != End::Completed {
        assert!(outcome.to_string().contains("oops"), "{outcome}");
    }
}

/// GS164 GS165 GS166
#[tokio::test(start_paused = true)]
async fn a_consumer_ends_with_its_producer_as_its_mode_says() {
    for mode in MODES {
        for end in End::ALL {
            let source = source();
            let (probe, mut calls) = ConsumerProbe::<u64>::new();
            let consumer = probe.stage().spawn();
            soon(consumer.subscribe(source.subscription().on_cancel(mode)))
                .await
                .unwrap();
            calls.producer_joined().await;
            end.bring_about(source).await;
            check_told(&mut calls, mode, end).await;
            if ends(mode, end) {
                let outcome = soon(consumer.outcome()).await;
                assert_eq!(word(&outcome), end.word(), "{mode:?} {end:?}");
                assert_eq!(word(&calls.terminated().await), end.word());
            } else {
                soon(consumer.call(act(|_| Ok(())))).await.unwrap();
                pending(consumer.outcome()).await;
            }
            calls.quiet().await;
        }
    }
}

/// GS180 GS181 GS182 GS183
#[tokio::test(start_paused = true)]
async fn a_relay_ends_with_its_producer_as_its_mode_says() {
    for mode in MODES {
        for end in End::ALL {
            let source = source();
            let (probe, mut calls) = RelayProbe::<u64, u64>::new(|_, _| Ok(()));
            let relay = probe.stage().spawn();
            let (probe, mut below) = ConsumerProbe::<u64>::new();
            let consumer = probe.stage().subscribe_to(&relay).spawn();
            soon(relay.subscribe(source.subscription().on_cancel(mode)))
                .await
                .unwrap();
            end.bring_about(source).await;
            check_told(&mut calls, mode, end).await;
            if ends(mode, end) {
                assert_eq!(
                    word(&soon(relay.outcome()).await),
                    end.word(),
                    "{mode:?} {end:?}"
                );
                // It travels down, and keeps the name of where it began.
                let (peer, outcome) = below.producer_left().await;
                assert_eq!((word(&outcome), &*peer.stage), (end.word(), relay.name()));
                assert_eq!(outcome.to_string().contains("`source`"), end == End::Failed);
                assert_eq!(word(&soon(consumer.outcome()).await), end.word());
            } else {
                pending(relay.outcome()).await;
                soon(relay.call(act(|_| Ok(())))).await.unwrap();
                pending(consumer.outcome()).await;
            }
        }
    }
}

/// GS160 GS161 GS162 GS163, where a transient subscription that is cancelled for
/// no normal reason ends its consumer; here only a failure does.
#[tokio::test(start_paused = true)]
async fn a_consumer_that_cancels_ends_as_its_mode_says() {
    for mode in MODES {
        let (probe, mut producer_calls) = ProducerProbe::<u64>::silent();
        let source = probe.stage().spawn();
        let (probe, mut calls) = ConsumerProbe::<u64>::new();
        let consumer = probe.stage().name("consumer").spawn();
        let id = soon(consumer.subscribe(source.subscription().on_cancel(mode)))
            .await
            .unwrap();
        consumer.cancel(id, "oops");

        let (peer, outcome) = calls.producer_left().await;
        assert_eq!(
            (peer.subscription, outcome.to_string()),
            (id, "cancelled: oops".into())
        );
        let (peer, outcome) = producer_calls.consumer_left().await;
        assert_eq!(
            (peer.subscription, outcome.to_string()),
            (id, "cancelled: oops".into())
        );
        assert_eq!(&*peer.stage, "consumer");
        if mode == CancelMode::Permanent {
            let outcome = soon(consumer.outcome()).await;
            assert_eq!(outcome.to_string(), "cancelled: oops");
        } else {
            pending(consumer.outcome()).await;
        }
        pending(source.outcome()).await;
        // Again: nothing.
        producer_calls.drain().await;
        consumer.cancel(id, "twice");
        producer_calls.quiet().await;
    }
}

/// GS178 GS179 GS174
#[tokio::test(start_paused = true)]
async fn a_relay_that_cancels_ends_as_its_mode_says() {
    for mode in MODES {
        let (probe, mut above) = ProducerProbe::<u64>::silent();
        let source = probe.stage().spawn();
        let (probe, mut calls) = RelayProbe::<u64, u64>::new(|_, _| Ok(()));
        let relay = probe.stage().spawn();
        let (probe, mut below) = ConsumerProbe::<u64>::new();
        let consumer = probe.stage().spawn();
        let below_id =
            soon(consumer.subscribe(relay.subscription().on_cancel(CancelMode::Temporary)))
                .await
                .unwrap();
        let id = soon(relay.subscribe(source.subscription().on_cancel(mode)))
            .await
            .unwrap();
        relay.cancel(id, "oops");
        assert_eq!(calls.producer_left().await.1.to_string(), "cancelled: oops");
        assert_eq!(above.consumer_left().await.1.to_string(), "cancelled: oops");
        if mode == CancelMode::Permanent {
            assert_eq!(word(&soon(relay.outcome()).await), "cancelled");
            assert_eq!(word(&below.producer_left().await.1), "cancelled");
        } else {
            pending(relay.outcome()).await;
            consumer.cancel(below_id, "enough");
            assert_eq!(
                calls.consumer_left().await.1.to_string(),
                "cancelled: enough"
            );
        }
    }
}

/// GS149 GS150
#[tokio::test(start_paused = true)]
async fn a_producer_learns_how_its_consumers_ended_and_goes_on() {
    for end in End::ALL {
        let (probe, mut calls) = ProducerProbe::<u64>::counting();
        let source = probe.stage().spawn();
        let (probe, _events) = ConsumerProbe::<u64>::manual();
        let consumer = probe.stage().name("consumer").subscribe_to(&source).spawn();
        let joined = calls.consumer_joined().await;
        match end {
            End::Completed => consumer
                .cast(act(|out| {
                    out.complete();
                    Ok(())
                }))
                .unwrap(),
            End::Cancelled => consumer.stop("oops"),
            End::Failed => consumer.cast(act(|_| fail("oops"))).unwrap(),
        }
        let (peer, outcome) = calls.consumer_left().await;
        assert_eq!(word(&outcome), end.word());
        assert_eq!(&*peer.stage, "consumer");
        assert_eq!(peer.subscription, joined.subscription);
        pending(source.outcome()).await;
        // It serves the next one.
        let (probe, mut events) = ConsumerProbe::<u64>::manual();
        let next = probe.stage().spawn();
        let id = soon(next.subscribe(&source)).await.unwrap();
        next.ask(id, 2);
        assert_eq!(events.events().await, [0, 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_had_arrived_is_handled_before_the_end_is_told() {
    for end in End::ALL {
        let (probe, _) = ProducerProbe::<u64>::counting();
        let source = probe.stage().spawn();
        let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
        let (probe, mut calls) = ConsumerProbe::<u64>::new();
        let consumer = probe.held_by(&permits).stage().spawn();
        let terms = source.subscription().max_demand(10).min_demand(8);
        soon(consumer.subscribe(terms)).await.unwrap();
        assert_eq!(calls.events().await, [0, 1]);
        end.bring_about(source).await;
        permits.add_permits(100);
        assert_eq!(calls.gather(8).await, [2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(word(&calls.producer_left().await.1), end.word());
        assert_eq!(word(&soon(consumer.outcome()).await), end.word());
        assert_eq!(consumer.stats().events_in, 10);
        assert_eq!(consumer.stats().discarded, 0);
    }
}

/// GS033 GS034 GS135
#[tokio::test(start_paused = true)]
async fn a_refused_subscription_fails_the_stage_that_was_built_with_it() {
    let dead = source();
    dead.stop("oops");
    soon(dead.outcome()).await;
    let (probe, mut calls) = ConsumerProbe::<u64>::new();
    let consumer = probe.stage().name("late").subscribe_to(&dead).spawn();
    let failure = crate::common::failure(soon(consumer.join()).await);
    assert_eq!(failure.stage(), "late");
    assert!(
        failure
            .to_string()
            .contains("`source` has ended (cancelled: oops)"),
        "{failure}"
    );
    assert_eq!(word(&calls.terminated().await), "failed");
}

/// GS035 GS036 GS136 GS137: `Temporary` promises that the consumer lives on
/// whatever happens.
#[tokio::test(start_paused = true)]
async fn a_refused_temporary_subscription_does_not_end_its_consumer() {
    let dead = source();
    dead.stop("oops");
    soon(dead.outcome()).await;
    let (probe, _calls) = ConsumerProbe::<u64>::new();
    let consumer = probe
        .stage()
        .subscribe_to(dead.subscription().on_cancel(CancelMode::Temporary))
        .spawn();
    pending(consumer.outcome()).await;
}
