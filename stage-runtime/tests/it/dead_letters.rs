//! The dead-letter hook gets what a handler failed on, as far as the stage
//! still owns it.

use crate::common::{failure, soon};
use stage_runtime::operators::{fold, for_each, for_each_ref, from_iter};
use stage_runtime::prelude::*;
use stage_runtime::{DeadLetter, Error};
use std::time::Duration;
use tokio::sync::mpsc;

type Letters = mpsc::UnboundedReceiver<DeadLetter<u64>>;

fn hook() -> (impl FnMut(DeadLetter<u64>) + Send + 'static, Letters) {
    let (sender, letters) = mpsc::unbounded_channel();
    let hook = move |letter| {
        let _ = sender.send(letter);
    };
    (hook, letters)
}

const fn at_once() -> Restart {
    Restart::on_failure()
        .max_restarts(10)
        .backoff(Duration::ZERO, Duration::ZERO)
}

#[tokio::test(start_paused = true)]
async fn by_reference_the_event_in_hand_goes_to_the_hook() {
    let source = from_iter(0..10u64).stage().spawn();
    let (hook, mut letters) = hook();
    let mut seen = 0;
    let consumer = supervised(|| for_each_ref(|n: &u64| assert!(n % 4 != 3, "not {n}")))
        .restart(at_once())
        .stage()
        .name("picky")
        .dead_letters(hook)
        .subscribe_to(&source)
        .spawn();
    let stats = consumer.stage_ref();
    soon(consumer.join()).await.unwrap();
    while let Some(letter) = letters.recv().await {
        assert_eq!((&*letter.stage, letter.lost), ("picky", 0));
        let message = format!("not {}", letter.events[0]);
        assert_eq!(letter.failure.panic_message(), Some(&*message));
        seen += letter.events.len();
    }
    assert_eq!(seen, 2, "3 and 7");
    let stats = stats.stats();
    assert_eq!((stats.dead_lettered, stats.lost, stats.restarts), (2, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn by_value_only_a_kept_event_goes_to_the_hook() {
    for keeps in [false, true] {
        let source = from_iter(0..10u64).stage().spawn();
        let (hook, mut letters) = hook();
        let builder = supervised(|| for_each(|n: u64| assert!(n != 4, "not 4")))
            .restart(at_once())
            .stage()
            .dead_letters(hook)
            .subscribe_to(&source);
        let builder = if keeps {
            builder.retain_taken()
        } else {
            builder
        };
        let consumer = builder.spawn();
        let stats = consumer.stage_ref();
        soon(consumer.join()).await.unwrap();
        let letter = letters.recv().await.unwrap();
        let stats = stats.stats();
        if keeps {
            assert_eq!((letter.events, letter.lost), (vec![4], 0));
            assert_eq!((stats.dead_lettered, stats.lost), (1, 0));
        } else {
            assert_eq!((letter.events, letter.lost), (vec![], 1));
            assert_eq!((stats.dead_lettered, stats.lost), (0, 1));
        }
        assert!(letters.recv().await.is_none(), "5 to 9 were handled");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_collected_first_is_in_hand_as_a_whole() {
    struct Collects;

    impl Consumer for Collects {
        type Event = u64;

        async fn handle_events(
            &mut self,
            events: &mut Batch<u64>,
            _cx: &mut Context<'_>,
        ) -> StageResult {
            let all: Vec<u64> = events.into_iter().collect();
            Err(format!("no room for {}", all.len()).into())
        }
    }

    let source = from_iter(0..10u64).stage().spawn();
    let (hook, mut letters) = hook();
    let consumer = Collects
        .stage()
        .dead_letters(hook)
        .retain_taken()
        .subscribe_to(source.subscription().max_demand(6).min_demand(2))
        .spawn();
    failure(soon(consumer.join()).await);
    assert_eq!(letters.recv().await.unwrap().events, [0, 1, 2, 3]);
    assert_eq!(
        (source.stats().handed_back, source.stats().buffered),
        (2, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_changes_nothing() {
    let source = from_iter(0..10u64).stage().spawn();
    let consumer = supervised(|| for_each_ref(|n: &u64| assert!(*n != 4, "not 4")))
        .restart(at_once())
        .stage()
        .dead_letters(|_| panic!("no letters today"))
        .subscribe_to(&source)
        .spawn();
    let stats = consumer.stage_ref();
    soon(consumer.join()).await.unwrap();
    assert_eq!(stats.stats().dead_lettered, 1);
}

#[tokio::test(start_paused = true)]
async fn events_that_a_dispatcher_can_send_nowhere_go_to_the_producers_hook() -> Result<(), Error> {
    let (hook, mut letters) = hook();
    let parts = Partition::by_index(2, |n: &u64| Some(*n as usize % 3))?;
    let source = from_iter(0..6u64)
        .stage()
        .name("source")
        .dispatcher(parts)
        .rejected(hook)
        .gate(Gate::Closed)
        .spawn();
    let sums = [0, 1].map(|part| {
        fold(0, |sum, n: u64| sum + n)
            .stage()
            .subscribe_to(source.partition(part))
            .spawn()
    });
    source.set_gate(Gate::Open);
    for (sum, expected) in sums.into_iter().zip([3, 5]) {
        assert_eq!(soon(sum.output()).await.unwrap(), expected);
    }
    for n in [2, 5] {
        let letter = letters.recv().await.unwrap();
        assert_eq!(letter.events, [n]);
        assert!(
            letter
                .failure
                .to_string()
                .contains("partition 2, which does not exist"),
            "{}",
            letter.failure
        );
    }
    assert_eq!(source.stats().rejected, 2);
    Ok(())
}
