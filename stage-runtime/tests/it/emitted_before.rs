//! What a handler emitted before it failed stays emitted (H2), and what it had
//! not taken is counted (E15).

use crate::common::{failure, pending, soon};
use stage_runtime::operators::{fold, for_each, from_iter};
use stage_runtime::prelude::*;
use stage_test::probe::{ConsumerProbe, ProducerProbe, RelayProbe, act};

#[tokio::test(start_paused = true)]
async fn what_a_producer_emitted_before_it_failed_arrives() {
    for panics in [false, true] {
        let (probe, _) = ProducerProbe::new(move |_, out| {
            out.extend([1u64, 2, 3]);
            assert!(!panics, "went wrong");
            Err("went wrong".into())
        });
        let source = probe.stage().spawn();
        let (probe, mut calls) = ConsumerProbe::new();
        let consumer = probe.stage().subscribe_to(&source).spawn();
        assert_eq!(calls.gather(3).await, [1, 2, 3]);
        failure(soon(source.join()).await);
        failure(soon(consumer.join()).await);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_message_handler_emitted_before_it_failed_arrives() {
    for panics in [false, true] {
        let (probe, mut calls) = ProducerProbe::<u64>::silent();
        let source = probe.stage().spawn();
        let (probe, mut events) = ConsumerProbe::new();
        let _consumer = probe.stage().subscribe_to(&source).spawn();
        calls.demand().await;
        let failing = act(move |out| {
            out.extend([1u64, 2, 3]);
            assert!(!panics, "went wrong");
            Err("went wrong".into())
        });
        assert!(soon(source.call(failing)).await.is_err());
        assert_eq!(events.gather(3).await, [1, 2, 3]);
        failure(soon(source.join()).await);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_relay_emitted_before_it_failed_arrives_and_the_rest_is_counted() {
    for panics in [false, true] {
        let source = from_iter(1..=10u64).stage().spawn();
        let (relay, _) = RelayProbe::new(move |events: &mut Batch<u64>, out| {
            for n in events {
                if n == 4 {
                    assert!(!panics, "went wrong");
                    return Err("went wrong".into());
                }
                out.push(n * 10);
            }
            Ok(())
        });
        let relay = relay.stage().subscribe_to(&source).spawn();
        let relay_ref = relay.stage_ref();
        let (probe, mut events) = ConsumerProbe::new();
        let consumer = probe.stage().subscribe_to(&relay).spawn();
        assert_eq!(events.gather(3).await, [10, 20, 30]);
        failure(soon(relay.join()).await);
        failure(soon(consumer.join()).await);
        let stats = relay_ref.stats();
        // 1 to 4 were taken, and 4 was in hand; 5 to 10 were not.
        assert_eq!((stats.events_in, stats.events_out, stats.lost), (10, 3, 1));
        pending(source.outcome()).await;
        assert_eq!(source.stats().buffered, 6);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_relay_emitted_in_handle_complete_before_it_failed_arrives() {
    let source = from_iter(1..=2u64).stage().spawn();
    let (relay, _) = RelayProbe::new(|events: &mut Batch<u64>, out| {
        out.extend(events);
        Ok(())
    });
    let relay = relay
        .at_the_end(|out| {
            out.push(99);
            Err("went wrong".into())
        })
        .stage()
        .subscribe_to(&source)
        .spawn();
    let (probe, mut events) = ConsumerProbe::new();
    let consumer = probe.stage().subscribe_to(&relay).spawn();
    assert_eq!(events.gather(3).await, [1, 2, 99]);
    failure(soon(consumer.join()).await);
}

#[tokio::test(start_paused = true)]
async fn what_had_arrived_at_a_failing_consumer_is_handed_back() {
    let (probe, mut calls) = ProducerProbe::<u64>::counting();
    let source = probe.stage().spawn();
    let (probe, _) = ConsumerProbe::new();
    let bad = probe
        .on_call(|call| match call {
            stage_test::probe::Call::Events(_) => Err("went wrong".into()),
            _ => Ok(()),
        })
        .stage()
        .subscribe_to(source.subscription().max_demand(10).min_demand(6))
        .spawn();
    let bad_ref = bad.stage_ref();
    failure(soon(bad.join()).await);
    calls.consumer_left().await;
    // It was given 4, which it did not take; 6 more waited.
    assert_eq!(
        (bad_ref.stats().events_in, bad_ref.stats().discarded),
        (4, 0)
    );
    let stats = source.stats();
    assert_eq!((stats.handed_back, stats.buffered), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn a_failed_stage_is_not_given_back() {
    let source = from_iter(1..=2u64).stage().spawn();
    let consumer = for_each(|_: u64| panic!("went wrong"))
        .stage()
        .subscribe_to(&source)
        .spawn();
    let failure = failure(soon(consumer.join_stage()).await);
    assert_eq!(failure.panic_message(), Some("went wrong"));
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_handler_can_be_had_back() {
    let source = from_iter(["1", "x"]).stage().spawn();
    let (relay, _) = RelayProbe::new(|events: &mut Batch<&str>, out| {
        for text in events {
            out.push(text.parse::<u64>()?);
        }
        Ok(())
    });
    let relay = relay.stage().name("parse").subscribe_to(&source).spawn();
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&relay)
        .spawn();
    let failure = failure(soon(sum.output()).await);
    assert_eq!(failure.stage(), "parse");
    assert!(failure.downcast_ref::<std::num::ParseIntError>().is_some());
    // Its text is in that of the failure, and is not printed again.
    assert!(failure.to_string().contains("invalid digit"));
    assert!(std::error::Error::source(&failure).is_none());
}
