//! What a stage of per-event children traces: no failure is silent (C6, C9).

use crate::common::log::Log;
use stage_runtime::operators::from_iter;
use stage_runtime::per_event::{ChildRestart, Shutdown, StartChild};
use stage_runtime::prelude::*;

/// What is traced while `run` runs, of `level` and above.
async fn traced(level: tracing::Level, run: impl Future<Output = ()>) -> Vec<String> {
    let (log, guard) = Log::listen(level);
    run.await;
    drop(guard);
    log.lines()
}

fn with<'a>(lines: &'a [String], words: &[&str]) -> Vec<&'a String> {
    let all = |line: &&String| words.iter().all(|word| line.contains(word));
    lines.iter().filter(all).collect()
}

#[tokio::test(start_paused = true)]
async fn failed_children_are_warned_of_together() {
    let lines = traced(tracing::Level::DEBUG, async {
        let numbers = from_iter(0..100u64).stage().spawn();
        let picky = per_event(|n: u64| async move {
            if n % 10 == 3 {
                Err(format!("cannot do {n}").into())
            } else {
                Ok(())
            }
        });
        let terms = numbers.subscription().max_demand(50).min_demand(0);
        let picky = picky.stage().name("picky").subscribe_to(terms).spawn();
        picky.join().await.unwrap();
    })
    .await;
    let warned = with(&lines, &["WARN", "name=picky", "children failed"]);
    assert_eq!(warned.len(), 2, "one for each fifty: {lines:#?}");
    assert!(warned[0].contains("count=5 total=5"), "{}", warned[0]);
    assert!(warned[0].contains("error=cannot do 3"), "{}", warned[0]);
    assert!(warned[1].contains("count=5 total=10"), "{}", warned[1]);
    for n in (3..100).step_by(10) {
        let error = format!("error=cannot do {n}");
        let told = with(&lines, &["DEBUG", "child failed"]);
        let told = told.iter().filter(|line| line.ends_with(&error));
        assert_eq!(told.count(), 1, "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_traces_under_the_name_of_its_stage() {
    let lines = traced(tracing::Level::INFO, async {
        let one = from_iter([1u64]).stage().spawn();
        let stage = per_event(|n: u64| async move {
            tracing::info!(n, "at work");
            Ok(())
        });
        let stage = stage.stage().name("workers").subscribe_to(&one).spawn();
        stage.join().await.unwrap();
    })
    .await;
    assert_eq!(with(&lines, &["name=workers", "at work", "n=1"]).len(), 1);
    assert_eq!(lines.len(), 1, "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn restarts_and_giving_up_are_traced() {
    let lines = traced(tracing::Level::DEBUG, async {
        let one = from_iter([1u64]).stage().spawn();
        let stage = per_event(|_: u64| async { Err("no luck".into()) });
        let stage = stage.restart(ChildRestart::Transient);
        let stage = stage.stage().name("workers").subscribe_to(&one).spawn();
        assert!(stage.join().await.is_err());
    })
    .await;
    let restarted = with(&lines, &["DEBUG", "child restarted", "error=no luck"]);
    assert_eq!(restarted.len(), 3);
    let gave_up = with(
        &lines,
        &["ERROR", "name=workers", "more than 3 times", "no luck"],
    );
    assert_eq!(gave_up.len(), 1, "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn aborted_children_are_warned_of() {
    let lines = traced(tracing::Level::INFO, async {
        let stage = per_event(|_: u64| std::future::pending());
        let stage = stage
            .shutdown(Shutdown::Immediately)
            .stage()
            .name("workers")
            .spawn();
        for event in 0..4 {
            stage.call(StartChild(event)).await.unwrap().unwrap();
        }
        stage.stop("enough");
        stage.outcome().await;
    })
    .await;
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(
        with(
            &lines,
            &["WARN", "name=workers", "children aborted", "count=4"]
        )
        .len(),
        1
    );
}
