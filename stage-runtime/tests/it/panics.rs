//! A handler that returns an error or panics fails its stage, and nothing else
//! (E5, H2, E10).

use crate::common::{failure, pending, soon, word};
use stage_core::StageResult;
use stage_runtime::operators::fold;
use stage_runtime::prelude::*;
use stage_test::probe::{Call, ConsumerProbe, ProducerProbe, RelayProbe, act, emit};

/// How a handler goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wrong {
    Error,
    Panic,
}

impl Wrong {
    const BOTH: [Self; 2] = [Self::Error, Self::Panic];

    fn go(self) -> StageResult {
        match self {
            Self::Error => Err("went wrong".into()),
            Self::Panic => panic!("went {}", "wrong"),
        }
    }

    fn check(self, failure: &stage_core::Failure) {
        assert_eq!(failure.stage(), "bad");
        assert!(failure.to_string().contains("went wrong"), "{failure}");
        assert_eq!(failure.panic_message().is_some(), self == Self::Panic);
    }
}

/// The name of a handler.
fn handler<E>(call: &Call<E>) -> &'static str {
    match call {
        Call::Demand(_) => "handle_demand",
        Call::Events(_) => "handle_events",
        Call::ProducerJoined(_) => "producer joined",
        Call::ProducerLeft(..) => "producer left",
        Call::ConsumerJoined(_) => "consumer joined",
        Call::ConsumerLeft(..) => "consumer left",
        Call::Info(_) => "handle_info",
        Call::Completing => "handle_complete",
        Call::Terminated(_) => "terminate",
        _ => "?",
    }
}

fn going_wrong<E>(site: &'static str, how: Wrong) -> impl FnMut(&Call<E>) -> StageResult + Send {
    move |call| {
        if handler(call) == site {
            how.go()
        } else {
            Ok(())
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_goes_wrong_fails_its_producer() {
    for how in Wrong::BOTH {
        for site in [
            "handle_demand",
            "consumer joined",
            "consumer left",
            "handle_info",
            "message",
        ] {
            let (probe, _) = ProducerProbe::<u64>::counting();
            let source = probe
                .on_call(going_wrong(site, how))
                .stage()
                .name("bad")
                .spawn();
            let (probe, mut calls) = ConsumerProbe::<u64>::manual();
            let consumer = probe
                .stage()
                .subscribe_to(source.subscription().on_cancel(CancelMode::Transient))
                .spawn();
            let id = calls.producer_joined().await.subscription;
            consumer.ask(id, 1);
            pending(std::future::pending::<()>()).await;
            match site {
                "message" => assert!(soon(source.call(act(move |_| how.go()))).await.is_err()),
                "handle_info" => source.info("boo").unwrap(),
                "consumer left" => consumer.cancel(id, "enough"),
                _ => {}
            }
            how.check(&failure(soon(source.join()).await));
            if site == "consumer left" {
                pending(consumer.outcome()).await;
            } else {
                let (_, outcome) = calls.producer_left().await;
                assert_eq!(word(&outcome), "failed", "{site}");
                how.check(&failure(soon(consumer.join()).await));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_goes_wrong_fails_its_consumer() {
    for how in Wrong::BOTH {
        for site in [
            "handle_events",
            "producer joined",
            "producer left",
            "handle_info",
            "message",
        ] {
            let (probe, mut above) = ProducerProbe::<u64>::counting();
            let source = probe.stage().spawn();
            let (probe, _) = ConsumerProbe::<u64>::new();
            let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(1));
            let bad = probe
                .on_call(going_wrong(site, how))
                .held_by(&permits)
                .stage()
                .name("bad")
                .subscribe_to(
                    source
                        .subscription()
                        .max_demand(4)
                        .on_cancel(CancelMode::Temporary),
                )
                .spawn();
            above.consumer_joined().await;
            match site {
                "message" => {
                    bad.cast(act(move |_| how.go())).unwrap();
                    permits.add_permits(1000);
                }
                "handle_info" => {
                    bad.info("boo").unwrap();
                    permits.add_permits(1000);
                }
                "producer left" => {
                    source.stop("enough");
                    permits.add_permits(1000);
                }
                _ => {}
            }
            how.check(&failure(soon(bad.join()).await));
            if site != "producer left" {
                let (_, outcome) = above.consumer_left().await;
                assert_eq!(word(&outcome), "failed", "{site}");
                pending(source.outcome()).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_goes_wrong_fails_its_relay() {
    for how in Wrong::BOTH {
        for site in [
            "handle_events",
            "producer joined",
            "producer left",
            "consumer joined",
            "consumer left",
            "handle_info",
            "handle_complete",
            "message",
        ] {
            let (probe, mut above) = ProducerProbe::<u64>::silent();
            let source = probe.stage().spawn();
            let (probe, _) = RelayProbe::<u64, u64>::new(|events, out| {
                out.extend(events);
                Ok(())
            });
            let bad = probe
                .on_call(going_wrong(site, how))
                .stage()
                .name("bad")
                .subscribe_to(&source)
                .spawn();
            let (probe, mut below) = ConsumerProbe::<u64>::new();
            let consumer = probe.stage().subscribe_to(&bad).spawn();
            pending(std::future::pending::<()>()).await;
            let id = below.producer_joined().await.subscription;
            match site {
                "message" => bad.cast(act(move |_| how.go())).unwrap(),
                "handle_info" => bad.info("boo").unwrap(),
                "handle_events" => source.call(emit([1])).await.unwrap(),
                "consumer left" => consumer.cancel(id, "enough"),
                "producer left" | "handle_complete" => source
                    .call(act(|out| {
                        out.complete();
                        Ok(())
                    }))
                    .await
                    .unwrap(),
                _ => {}
            }
            how.check(&failure(soon(bad.join()).await));
            if site != "consumer left" {
                let (_, outcome) = below.producer_left().await;
                assert_eq!(word(&outcome), "failed", "{site}");
                let told = failure(soon(consumer.join()).await);
                if site == "producer joined" {
                    // It had failed before the consumer could subscribe.
                    assert!(told.to_string().contains("went wrong"), "{told}");
                } else {
                    how.check(&told);
                }
            }
            if !["producer left", "handle_complete"].contains(&site) {
                assert_eq!(word(&above.consumer_left().await.1), "failed", "{site}");
                pending(source.outcome()).await;
            }
        }
    }
}

/// The outcome stands before `terminate` is called.
#[tokio::test(start_paused = true)]
async fn a_panic_in_terminate_changes_no_outcome_and_hangs_nothing() {
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe
        .on_call(going_wrong("terminate", Wrong::Panic))
        .stage()
        .spawn();
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&source)
        .spawn();
    source
        .call(act(|out| {
            out.push(5);
            out.complete();
            Ok(())
        }))
        .await
        .unwrap();
    soon(source.join()).await.unwrap();
    assert_eq!(soon(sum.output()).await.unwrap(), 5);
}

/// GS155
#[tokio::test(start_paused = true)]
async fn terminate_is_called_once_and_last_whatever_the_outcome() {
    for end in ["completed", "cancelled", "failed"] {
        let (probe, mut calls) = ProducerProbe::<u64>::silent();
        let source = probe.stage().spawn();
        match end {
            "completed" => source
                .cast(act(|out| {
                    out.complete();
                    Ok(())
                }))
                .unwrap(),
            "cancelled" => source.stop("enough"),
            _ => source.cast(act(|_| Wrong::Error.go())).unwrap(),
        }
        soon(source.outcome()).await;
        match calls.drain().await.as_slice() {
            [Call::Terminated(outcome)] => assert_eq!(word(outcome), end),
            other => panic!("{other:?}"),
        }
    }
}
