//! A supervised stage that fails restarts: its handler gets a new state, and
//! everything else stays as it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use crate::common::{cancelled, failure, pending, soon};
use stage_runtime::operators::{fold, for_each, for_each_ref, from_fn, from_iter};
use stage_runtime::prelude::*;
use stage_test::probe::{Call, ConsumerProbe, ProducerProbe, emit};
use tokio::sync::mpsc;

const fn at_once(restarts: usize) -> Restart {
    Restart::on_failure()
        .max_restarts(restarts)
        .backoff(Duration::ZERO, Duration::ZERO)
}

/// Passes on what it handles, and panics at every number that `at` says, once.
struct Shaky {
    at: Arc<std::sync::Mutex<Vec<u64>>>,
    handled: mpsc::UnboundedSender<u64>,
}

impl Consumer for Shaky {
    type Event = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        for n in events {
            let fails = {
                let mut at = self.at.lock().map_err(|_| "poisoned")?;
                let place = at.iter().position(|&m| m == n);
                place.map(|place| at.swap_remove(place)).is_some()
            };
            assert!(!fails, "shaken by {n}");
            self.handled.send(n)?;
        }
        Ok(())
    }
}

fn shaky(
    at: &[u64],
) -> (
    impl FnMut() -> Shaky + Send + 'static,
    mpsc::UnboundedReceiver<u64>,
) {
    let at = Arc::new(std::sync::Mutex::new(at.to_vec()));
    let (handled, receiver) = mpsc::unbounded_channel();
    let factory = move || Shaky {
        at: Arc::clone(&at),
        handled: handled.clone(),
    };
    (factory, receiver)
}

async fn all(mut receiver: mpsc::UnboundedReceiver<u64>) -> Vec<u64> {
    let mut all = Vec::new();
    while let Some(n) = receiver.recv().await {
        all.push(n);
    }
    all
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_where_it_failed_without_what_it_had_taken() {
    let source = from_iter(0..100u64).stage().spawn();
    let (factory, handled) = shaky(&[7, 50, 51]);
    let consumer = supervised(factory)
        .restart(at_once(3))
        .stage()
        .subscribe_to(source.subscription().max_demand(20))
        .spawn();
    let stats = consumer.stage_ref();
    soon(consumer.join()).await.unwrap();
    let expected: Vec<u64> = (0..100).filter(|n| ![7, 50, 51].contains(n)).collect();
    assert_eq!(soon(all(handled)).await, expected);
    let stats = stats.stats();
    assert_eq!((stats.restarts, stats.lost), (3, 3));
    assert_eq!(source.stats().handed_back, 0, "its own queue kept them");
}

#[tokio::test(start_paused = true)]
async fn with_the_event_kept_in_hand_nothing_is_lost() {
    let source = from_iter(0..100u64).stage().spawn();
    let (factory, handled) = shaky(&[7, 50, 51]);
    let consumer = supervised(factory)
        .restart(at_once(3))
        .stage()
        .retain_taken()
        .subscribe_to(source.subscription().max_demand(20))
        .spawn();
    let stats = consumer.stage_ref();
    soon(consumer.join()).await.unwrap();
    assert_eq!(soon(all(handled)).await, (0..100).collect::<Vec<_>>());
    assert_eq!((stats.stats().restarts, stats.stats().lost), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn one_failure_too_many_ends_it_for_good() {
    let source = from_iter(0..100u64).stage().spawn();
    let (factory, handled) = shaky(&[7, 50, 51]);
    let consumer = supervised(factory)
        .restart(at_once(2))
        .stage()
        .subscribe_to(source.subscription().max_demand(20))
        .spawn();
    assert_eq!(
        failure(soon(consumer.join()).await).panic_message(),
        Some("shaken by 51")
    );
    assert_eq!(soon(all(handled)).await.last(), Some(&49));
    pending(source.outcome()).await;
    assert!(source.stats().handed_back > 0);
}

#[tokio::test(start_paused = true)]
async fn restarts_are_counted_over_a_period() {
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let (factory, _handled) = shaky(&[1, 2, 3]);
    let consumer = supervised(factory)
        .restart(at_once(1).within(Duration::from_secs(5)))
        .stage()
        .subscribe_to(&source)
        .spawn();
    for n in [1, 2] {
        source.call(emit([n])).await.unwrap();
        pending(consumer.outcome()).await;
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    assert_eq!(consumer.stats().restarts, 2);
    source.call(emit([3])).await.unwrap();
    pending(consumer.outcome()).await;
}

#[tokio::test(start_paused = true)]
async fn it_waits_longer_after_each_failure_in_a_row() {
    let (made, starts) = (Arc::new(AtomicUsize::new(0)), tokio::time::Instant::now());
    let counted = Arc::clone(&made);
    let source = from_iter(0..10u64).stage().spawn();
    let ms = Duration::from_millis;
    let always_fails = move || {
        counted.fetch_add(1, SeqCst);
        for_each_ref(|_: &u64| panic!("never"))
    };
    let consumer = supervised(always_fails)
        .restart(
            Restart::on_failure()
                .max_restarts(4)
                .backoff(ms(100), ms(400)),
        )
        .stage()
        .subscribe_to(&source)
        .spawn();
    failure(soon(consumer.join()).await);
    assert_eq!(made.load(SeqCst), 5);
    // 100, 200, 400, 400, each with up to as much again.
    let waited = starts.elapsed();
    assert!(waited >= ms(1_100) && waited <= ms(2_210), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_supervised_producer_owes_what_it_owed_and_its_consumers_notice_nothing() {
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    let source = supervised(move || {
        let first = counted.fetch_add(1, SeqCst) == 0;
        let mut next = if first { 0 } else { 1_000u64 };
        from_fn(move || {
            next += 1;
            assert!(next != 4, "the fourth");
            Some(next)
        })
    })
    .restart(at_once(3))
    .stage()
    .spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe
        .stage()
        .subscribe_to(source.subscription().max_demand(6).min_demand(0))
        .spawn();
    // What it emitted before it failed stays emitted; the rest is asked again.
    assert_eq!(calls.gather(6).await[3..], [1001, 1002, 1003]);
    consumer.stop("enough");
    soon(consumer.outcome()).await;
    assert!(
        calls
            .drain()
            .await
            .iter()
            .all(|call| !matches!(call, Call::ProducerLeft(..)))
    );
    assert_eq!(source.stats().restarts, 1);
}

#[tokio::test(start_paused = true)]
async fn demand_asked_by_hand_before_a_failure_counts_after_it() {
    struct Manual(Arc<AtomicUsize>);

    impl Consumer for Manual {
        type Event = u64;

        async fn handle_subscribe(
            &mut self,
            producer: &Peer,
            cx: &mut Context<'_>,
        ) -> StageResult<DemandMode> {
            cx.ask(producer.subscription, 5);
            Ok(DemandMode::Manual)
        }

        async fn handle_events(
            &mut self,
            events: &mut Batch<u64>,
            _cx: &mut Context<'_>,
        ) -> StageResult {
            for n in events {
                self.0.fetch_add(1, SeqCst);
                assert!(n != 1, "one");
            }
            Ok(())
        }
    }

    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let consumer = supervised(move || Manual(Arc::clone(&counted)))
        .restart(at_once(1))
        .stage()
        .subscribe_to(&source)
        .spawn();
    assert_eq!(above.demand().await, 5);
    // One is handled and one lost: the new state's 5 are 3 from before and 2.
    source.call(emit([0, 1])).await.unwrap();
    assert_eq!(above.demand().await, 5);
    source.call(emit(2..20)).await.unwrap();
    pending(consumer.outcome()).await;
    assert_eq!(seen.load(SeqCst), 7);
    assert_eq!(source.stats().delivered, 7);
}

#[tokio::test(start_paused = true)]
async fn never_is_never_and_always_starts_a_finished_one_again() {
    let source = from_iter(0..9u64).stage().spawn();
    let (factory, _handled) = shaky(&[2]);
    let once = supervised(factory)
        .restart(Restart::never())
        .stage()
        .subscribe_to(&source)
        .spawn();
    failure(soon(once.join()).await);

    let again = supervised(|| from_iter(0..3u64))
        .restart(Restart::always().max_restarts(2))
        .stage()
        .spawn();
    let got = fold(Vec::new(), |mut all, n: u64| {
        all.push(n);
        all
    });
    let got = got.stage().subscribe_to(&again).spawn();
    assert_eq!(
        soon(got.output()).await.unwrap(),
        [0, 1, 2, 0, 1, 2, 0, 1, 2]
    );
    soon(again.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_factory_that_panics_counts_as_one_more_failure() {
    let source = from_iter(0..9u64).stage().spawn();
    let mut makes = 0;
    let consumer = supervised(move || {
        makes += 1;
        assert!(makes != 2, "out of parts");
        let breaks = makes == 1;
        for_each(move |_: u64| assert!(!breaks, "broken"))
    })
    .restart(at_once(2))
    .stage()
    .subscribe_to(&source)
    .spawn();
    let stats = consumer.stage_ref();
    soon(consumer.join()).await.unwrap();
    assert_eq!((stats.stats().restarts, stats.stats().lost), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_waits_to_be_restarted_can_be_stopped_and_reached() {
    let source = from_iter(0..9u64).stage().spawn();
    let minute = Duration::from_secs(60);
    let (factory, _handled) = shaky(&[2]);
    let consumer = supervised(factory)
        .restart(Restart::on_failure().backoff(minute, minute))
        .stage()
        .subscribe_to(&source)
        .spawn();
    pending(consumer.outcome()).await;
    let other = from_iter(0..9u64).stage().spawn();
    let reference = consumer.stage_ref();
    pending(reference.subscribe(&other)).await;
    consumer.stop("enough");
    assert_eq!(cancelled(soon(consumer.join()).await), "enough");
    pending(source.outcome()).await;
    assert_eq!(source.stats().buffered, 6);
}

#[tokio::test(start_paused = true)]
async fn terminate_is_called_for_each_state_and_a_message_reaches_the_next_one() {
    let (sender, mut terminated) = mpsc::unbounded_channel();
    let source = supervised(move || {
        let sender = sender.clone();
        let (probe, _) = ProducerProbe::<u64>::silent();
        probe.on_call(move |call| {
            if let Call::Terminated(outcome) = call {
                sender.send(outcome.to_string())?;
            }
            Ok(())
        })
    })
    .restart(at_once(1))
    .stage()
    .name("source")
    .spawn();
    let fails = stage_test::probe::act(|_| Err("no".into()));
    source.call(fails).await.unwrap_err();
    source.call(emit([1])).await.unwrap();
    assert_eq!(source.stats().buffered, 1);
    source.stop("enough");
    soon(source.outcome()).await;
    assert_eq!(
        terminated.recv().await.unwrap(),
        "failed: stage `source` failed: no"
    );
    assert_eq!(terminated.recv().await.unwrap(), "cancelled: enough");
}
