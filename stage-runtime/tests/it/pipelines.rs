//! Stages owned by a pipeline: joined, stopped and looked at together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use crate::common::{cancelled, fail, failure, pending, soon};
use stage_runtime::operators::{fold, for_each, from_iter, map};
use stage_runtime::prelude::*;
use stage_runtime::{Error, Group, RestartStrategy, SpawnError, snapshot::Activity};
use stage_test::probe::{ProducerProbe, act, emit};

#[tokio::test(start_paused = true)]
async fn joining_waits_for_all_and_a_snapshot_outlives_them() {
    let pipeline = Pipeline::new();
    soon(pipeline.join()).await.unwrap();
    let source = from_iter(0..1_000u64)
        .stage()
        .name("source")
        .in_group(&pipeline)
        .spawn();
    let double = map(|n: u64| n * 2)
        .stage()
        .name("double")
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .name("sum")
        .subscribe_to(&double)
        .in_group(&pipeline)
        .spawn();
    soon(pipeline.join()).await.unwrap();
    assert_eq!(soon(sum.output()).await.unwrap(), 999_000);
    drop((source, double));

    let snapshot = pipeline.snapshot();
    let names: Vec<&str> = snapshot
        .stages
        .iter()
        .map(|stage| &*stage.stats.name)
        .collect();
    assert_eq!(names, ["source", "double", "sum"]);
    assert_eq!(snapshot.links.len(), 2);
    for link in &snapshot.links {
        assert!(link.ended && link.totals.balance());
        assert_eq!((link.totals.handled, link.totals.in_flight), (1_000, 0));
    }
    for stage in &snapshot.stages {
        assert_eq!(stage.activity, Activity::Ended);
        assert_eq!(stage.outcome.as_deref(), Some("completed"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_says_what_stages_do_and_for_how_long() {
    let pipeline = Pipeline::new();
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().name("source").in_group(&pipeline).spawn();
    let slow = closure_that_waits();
    let slow = slow
        .stage()
        .name("slow")
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    above.demand().await;
    source.call(emit([1, 2])).await.unwrap();
    pending(slow.outcome()).await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    let snapshot = pipeline.snapshot();
    let [source, slow] = &snapshot.stages[..] else {
        panic!("two stages");
    };
    assert_eq!(slow.activity, Activity::Handler("handle_events"));
    assert!(slow.since >= Duration::from_secs(9), "{:?}", slow.since);
    assert_eq!(
        (source.activity, source.stats.unmet),
        (Activity::WaitingForEvents, 998)
    );
    let totals = snapshot.links[0].totals;
    assert_eq!(
        (totals.asked, totals.delivered, totals.in_flight),
        (1_000, 2, 2)
    );
    assert_eq!(totals.outstanding(), 998);
}

struct Waits;

fn closure_that_waits() -> Waits {
    Waits
}

impl Consumer for Waits {
    type Event = u64;

    async fn handle_events(&mut self, _: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_fails_for_good_takes_the_others_down() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..)
        .stage()
        .name("source")
        .in_group(&pipeline)
        .spawn();
    let bad = for_each(|n: u64| assert!(n < 5, "too many"))
        .stage()
        .name("bad")
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    let failed = failure(soon(pipeline.join()).await);
    assert_eq!(failed.to_string(), "stage `bad` panicked: too many");
    assert_eq!(
        cancelled(source.join().await),
        "`bad` of its pipeline failed"
    );
    // One that joins too late does not live on alone.
    let late = from_iter(0..9u64).stage().in_group(&pipeline).spawn();
    assert_eq!(
        cancelled(soon(late.join()).await),
        "`bad` of its pipeline failed"
    );
    drop(bad);
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_is_never_restarted_fails_alone() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..)
        .stage()
        .name("source")
        .in_group(&pipeline)
        .spawn();
    let bad = supervised(|| for_each(|n: u64| assert!(n < 5, "too many")))
        .restart(Restart::never())
        .stage()
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    failure(soon(bad.join()).await);
    pending(source.outcome()).await;
    soon(pipeline.shutdown()).await;
    assert!(source.is_ended());
    failure(soon(pipeline.join()).await);
}

#[tokio::test(start_paused = true)]
async fn names_are_unique_in_a_pipeline() {
    let pipeline = Pipeline::new();
    let first = from_iter(0..9u64)
        .stage()
        .name("numbers")
        .in_group(&pipeline)
        .spawn();
    let error = from_iter(0..9u64)
        .stage()
        .name("numbers")
        .in_group(&pipeline)
        .try_spawn()
        .unwrap_err();
    assert!(matches!(error, SpawnError::NameTaken { .. }));
    assert!(error.to_string().contains("`numbers`"), "{error}");
    pending(first.outcome()).await;
    // In another pipeline it is free.
    let other = Pipeline::new();
    from_iter(0..9u64)
        .stage()
        .name("numbers")
        .in_group(&other)
        .try_spawn()
        .unwrap();
    // `in_group` gives a handle all the same, of a stage that says why it fails.
    let refused = from_iter(0..9u64)
        .stage()
        .name("numbers")
        .in_group(&pipeline)
        .spawn();
    let failed = failure(soon(refused.join()).await);
    assert!(
        failed.to_string().contains("a stage of that name"),
        "{failed}"
    );
    failure(soon(pipeline.join()).await);
    assert!(first.is_ended());
}

/// Three stages in `group`, of which each counts how often it was made; the
/// second fails when it is told to.
async fn restarts_of(pipeline: &Pipeline, group: &Group) -> [usize; 3] {
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().in_group(pipeline).spawn();
    let made: [Arc<AtomicUsize>; 3] = Default::default();
    let [first, second, third] = made.each_ref().map(|made| {
        let made = Arc::clone(made);
        supervised(move || {
            made.fetch_add(1, SeqCst);
            ProducerProbe::<u64>::silent().0
        })
        .restart(Restart::on_failure().max_restarts(9))
        .stage()
        .in_group(group)
        .spawn()
    });
    for _ in 0..2 {
        let told = second.call(act(|_| fail("as told"))).await;
        assert!(told.is_err());
        pending(second.outcome()).await;
    }
    // They all live, in the identity they had.
    for stage in [first, second, third] {
        stage.call(emit([1])).await.expect("it lives");
        assert_eq!(stage.stats().buffered, 1);
    }
    drop(source);
    soon(pipeline.shutdown()).await;
    made.map(|made| made.load(SeqCst))
}

#[tokio::test(start_paused = true)]
async fn the_strategy_of_a_group_says_who_else_starts_over() {
    for (strategy, expected) in [
        (RestartStrategy::OneForOne, [1, 3, 1]),
        (RestartStrategy::OneForAll, [3, 3, 3]),
        (RestartStrategy::RestForOne, [1, 3, 3]),
    ] {
        let pipeline = Pipeline::new();
        let group = pipeline.group(strategy);
        assert_eq!(
            restarts_of(&pipeline, &group).await,
            expected,
            "{strategy:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_starts_over_together_takes_only_stages_that_can() {
    let pipeline = Pipeline::new();
    let group = pipeline.group(RestartStrategy::OneForAll);
    let error = from_iter(0..9u64)
        .stage()
        .name("once")
        .in_group(&group)
        .try_spawn()
        .unwrap_err();
    assert!(matches!(error, SpawnError::NotSupervised { .. }));
    assert!(error.to_string().contains("supervised"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn stopping_is_told_by_join_and_may_be_repeated() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..).stage().in_group(&pipeline).spawn();
    let sink = for_each(|_: u64| ())
        .stage()
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    pipeline.stop("enough");
    pipeline.stop("more than enough");
    assert_eq!(cancelled(soon(pipeline.join()).await), "enough");
    assert_eq!(cancelled(soon(sink.join()).await), "enough");
    soon(pipeline.shutdown()).await;
}

#[tokio::test(start_paused = true)]
async fn dropping_a_pipeline_detaches_its_stages() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..50u64).stage().in_group(&pipeline).spawn();
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    drop(pipeline);
    assert_eq!(soon(sum.output()).await.unwrap(), 1_225);
}

#[tokio::test(start_paused = true)]
async fn running_until_a_signal_drains() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..).stage().in_group(&pipeline).spawn();
    let sum = fold(0, |count, _: u64| count + 1)
        .stage()
        .subscribe_to(&source);
    let sum = sum.in_group(&pipeline).spawn();
    let second = Duration::from_secs(1);
    soon(pipeline.run_until(tokio::task::yield_now(), second))
        .await
        .unwrap();
    assert_eq!(soon(sum.output()).await.unwrap(), source.stats().events_out);

    let short = Pipeline::new();
    let source = from_iter(0..3u64).stage().in_group(&short).spawn();
    for_each(|_: u64| ())
        .stage()
        .subscribe_to(&source)
        .in_group(&short)
        .spawn();
    soon(short.run_until(std::future::pending::<()>(), second))
        .await
        .unwrap();

    let stuck = Pipeline::new();
    let source = from_iter(0..3u64).stage().in_group(&stuck).spawn();
    let waits = Waits.stage().subscribe_to(&source).in_group(&stuck).spawn();
    while waits.stats().events_in == 0 {
        tokio::task::yield_now().await;
    }
    let error = soon(stuck.run_until(std::future::ready(()), second))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Drain(_)), "{error}");
}
