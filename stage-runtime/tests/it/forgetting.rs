//! A pipeline forgets the stages that have ended: their names are free at once, a few
//! of them stay in the snapshot, and the failure that `join` reports stays (S16, S17).

use crate::common::{failure, soon};
use stage_runtime::SpawnError;
use stage_runtime::operators::{for_each, from_iter};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{ProducerProbe, act};

/// Ended stages that a snapshot lists at the most, if all their events are settled.
const LISTED: usize = 64;

/// Reference: akka/akka-core issue 21195, "Unable to start actor instantly after
/// receiving Terminated from actor with same name closed earlier"; ray-project/ray
/// issue 8593, "Cannot overwrite named actor even after killing it".
#[tokio::test(start_paused = true)]
async fn a_name_is_free_as_soon_as_its_stage_has_ended() {
    let pipeline = Pipeline::new();
    let queue = || ProducerProbe::<u64>::silent().0.stage().name("queue");
    for round in 0..10 {
        let running = queue().in_group(&pipeline).try_spawn().expect("it is free");
        let taken = queue().in_group(&pipeline).try_spawn();
        assert!(
            matches!(taken, Err(SpawnError::NameTaken { .. })),
            "round {round}"
        );
        if round % 2 == 0 {
            running.stop("removed");
        } else {
            running.abort();
        }
        soon(running.outcome()).await;
    }
}

/// On threads of their own, where the one who waits for the end may run before the
/// stage has done all that it does at its end.
#[test]
fn whoever_has_seen_the_end_finds_the_name_free() {
    crate::common::seeds_on_threads(20, |seed, _| async move {
        let pipeline = Pipeline::new();
        for _ in 0..50 {
            let stage = from_iter(0..3u64).stage().name("again").in_group(&pipeline);
            let stage = stage
                .try_spawn()
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            stage.stop("enough");
            soon(stage.outcome()).await;
        }
    });
}

/// A stage that was refused for its name fails under that name, and does not give
/// away the name of the one that lives.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_stage_that_was_refused_frees_no_name() {
    let pipeline = Pipeline::new();
    let one = || {
        let silent = ProducerProbe::<u64>::silent().0.stage().name("one");
        silent.expendable().in_group(&pipeline)
    };
    let first = one().spawn();
    let twice = one().spawn();
    failure(soon(twice.join()).await);
    assert!(matches!(
        one().try_spawn(),
        Err(SpawnError::NameTaken { .. })
    ));
    first.stop("enough");
    soon(first.outcome()).await;
    one().try_spawn().expect("the name is free");
}

/// Reference: tqwewe/kameo issue 393, "Terminal supervised children remain retained by
/// their supervisor".
#[tokio::test(start_paused = true)]
async fn a_snapshot_lists_few_of_the_stages_that_have_ended() {
    let pipeline = Pipeline::new();
    let last = {
        let mut last = None;
        for _ in 0..1_000 {
            let numbers = from_iter(0..3u64).stage().in_group(&pipeline).spawn();
            let sink = for_each(|_| ()).stage().subscribe_to(&numbers);
            let sink = sink.in_group(&pipeline).spawn();
            soon(numbers.join()).await.unwrap();
            let id = sink.id();
            soon(sink.join()).await.unwrap();
            last = Some(id);
        }
        last.expect("there were some")
    };
    let stages = pipeline.snapshot().stages;
    assert!(stages.len() <= LISTED, "{} stages", stages.len());
    assert_eq!(stages.last().expect("the last ones are kept").id, last);
    assert!(stages.is_sorted_by_key(|stage| stage.id));
    assert_settled(&pipeline);
    soon(pipeline.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn join_reports_the_failure_of_a_stage_that_was_forgotten() {
    let pipeline = Pipeline::new();
    let bad = supervised(|| ProducerProbe::<u64>::silent().0)
        .restart(Restart::never())
        .stage()
        .name("bad")
        .in_group(&pipeline)
        .spawn();
    bad.cast(act(|_| Err("broken".into()))).expect("it runs");
    failure(soon(bad.join()).await);
    for _ in 0..1_000 {
        let numbers = from_iter(0..1u64).stage().in_group(&pipeline).spawn();
        numbers.stop("enough");
        soon(numbers.outcome()).await;
    }
    assert!(
        pipeline
            .snapshot()
            .stages
            .iter()
            .all(|stage| &*stage.stats.name != "bad"),
        "it was not forgotten"
    );
    let failure = failure(soon(pipeline.join()).await);
    assert_eq!(failure.stage(), "bad");
}
