//! Subscribing and cancelling for ever leaves nothing behind, nor do stages that come and
//! go.
//!
//! Alone in their process, whose memory they look at, and so one after the other.

#![allow(clippy::unwrap_used, reason = "a panic is how a test says no")]

#[path = "it/common/mod.rs"]
mod common;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stage_runtime::RestartStrategy;
use stage_runtime::operators::{fold, from_iter};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe};

use common::memory::resident;
use common::{seeds, soon};

static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_hundred_thousand_subscriptions_leave_nothing_behind() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    seeds(1, |_, mut random| async move {
        const ROUNDS: usize = 100_000;
        let pipeline = Pipeline::new();
        let silent = || ProducerProbe::<u64>::silent().0;
        let one = silent().stage().in_group(&pipeline).spawn();
        let all = silent()
            .stage()
            .dispatcher(Broadcast::new())
            .in_group(&pipeline)
            .spawn();
        let parts = Partition::by_index(1, |_: &u64| Some(0)).unwrap();
        let parts = silent()
            .stage()
            .dispatcher(parts)
            .in_group(&pipeline)
            .spawn();
        let consumer = ConsumerProbe::<u64>::new()
            .0
            .stage()
            .in_group(&pipeline)
            .spawn();
        let mut before = 0;
        for round in 0..ROUNDS {
            let terms = match random.u8(0..3) {
                0 => one.subscription(),
                1 => all.subscription(),
                _ => parts.partition(0),
            };
            let terms = terms.on_cancel(CancelMode::Temporary);
            // The one before may not have left its partition yet.
            if let Ok(id) = soon(consumer.subscribe(terms)).await {
                consumer.cancel(id, "enough");
            }
            if round == ROUNDS / 10 {
                before = resident();
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        let grown = resident().saturating_sub(before);
        assert!(grown < 16 << 20, "{grown} bytes more");
        let snapshot = pipeline.snapshot();
        assert!(snapshot.links.len() < 200, "{} links", snapshot.links.len());
        assert!(snapshot.links.iter().all(|link| link.ended));
        assert_settled(&pipeline);
        soon(pipeline.shutdown()).await;
        assert_settled(&pipeline);
    });
}

/// Spawns `stages` stages in one pipeline, 100 at a time, while somebody joins the
/// pipeline, and checks that it stays as small as it was.
///
/// Reference: bitcoin-dev-project/sim-ln pull request 229, "fix memory buildup from
/// JoinSet"; hickory-dns/hickory-dns pull request 1818, "Lazily reap finished tasks from
/// `inner_join_set`"; balena/elixir-sippet issue 26, "Memory leak".
fn stages_leave_nothing_behind(stages: usize) {
    const AT_A_TIME: usize = 100;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    seeds(1, |_, _| async move {
        let pipeline = Pipeline::new();
        let group = pipeline.group(RestartStrategy::OneForOne);
        let host = ProducerProbe::<u64>::silent().0.stage().name("host");
        let host = host.in_group(&pipeline).spawn();
        let joined = tokio::spawn({
            let pipeline = pipeline.clone();
            async move { pipeline.join().await }
        });
        let (mut before, mut spawned, mut round) = (0, 0, 0);
        while spawned < stages {
            let mut running = Vec::with_capacity(AT_A_TIME / 2);
            for n in 0..AT_A_TIME / 2 {
                let numbers = from_iter(0..2u64).stage().name(format!("numbers {n}"));
                let numbers = numbers.in_group(&pipeline).try_spawn().unwrap();
                let sum = fold(0, |sum, n: u64| sum + n).stage();
                // A link to the stage that stays, too.
                let guest = host.subscription().on_cancel(CancelMode::Temporary);
                let sum = sum.name(format!("sum {n}")).subscribe_to(&numbers);
                let sum = if n % 10 == 0 {
                    sum.subscribe_to(guest)
                } else {
                    sum
                };
                running.push((numbers, sum.in_group(&group).try_spawn().unwrap()));
            }
            for (n, (numbers, sum)) in running.into_iter().enumerate() {
                soon(numbers.join()).await.unwrap();
                if n % 10 == 0 {
                    // It would wait for the host.
                    sum.stop("enough");
                    soon(sum.outcome()).await;
                } else {
                    assert_eq!(soon(sum.output()).await.unwrap(), 1);
                }
            }
            spawned += AT_A_TIME;
            round += 1;
            if round == stages / AT_A_TIME / 10 {
                before = resident();
            }
        }
        let grown = resident().saturating_sub(before);
        assert!(grown < 4 << 20, "{grown} bytes more");
        assert_settled(&pipeline);
        let snapshot = pipeline.snapshot();
        assert!(snapshot.stages.len() < 70, "{}", snapshot.stages.len());
        let past = &snapshot.past_stages;
        let all = snapshot.stages.len() as u64 + past.completed + past.cancelled;
        assert_eq!((all, past.failed), (spawned as u64 + 1, 0));
        assert_eq!(past.received.balance(), past.sent.balance());
        assert!(!joined.is_finished());
        soon(pipeline.shutdown()).await;
        soon(joined).await.unwrap().unwrap_err();
    });
}

#[test]
fn a_hundred_thousand_stages_leave_nothing_behind() {
    stages_leave_nothing_behind(100_000);
}

/// Some ten seconds in a release build.
#[test]
#[ignore = "long: run by hand with `cargo test --release --test no_leak -- --ignored`"]
fn a_million_stages_leave_nothing_behind() {
    stages_leave_nothing_behind(1_000_000);
}
