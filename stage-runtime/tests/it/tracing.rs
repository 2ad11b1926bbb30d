//! What a stage traces: its life and what is discarded, never an event, and
//! always under its name.

use crate::common::log::Log;
use stage_runtime::operators::{for_each, from_iter};
use stage_runtime::prelude::*;

/// Everything that is traced while `run` runs, down to the finest level.
async fn traced(run: impl Future<Output = ()>) -> Vec<String> {
    let (log, guard) = Log::listen(tracing::Level::TRACE);
    run.await;
    drop(guard);
    log.lines()
}

fn has(lines: &[String], words: &[&str]) -> bool {
    lines
        .iter()
        .any(|line| words.iter().all(|word| line.contains(word)))
}

#[tokio::test]
async fn a_stage_traces_its_life_under_its_name_and_nothing_per_event() {
    let lines = traced(async {
        let numbers = from_iter(0..100_000).stage().name("numbers").spawn();
        let sink = for_each(|_: i32| {})
            .stage()
            .name("sink")
            .subscribe_to(&numbers)
            .spawn();
        sink.join().await.unwrap();
        numbers.join().await.unwrap();
    })
    .await;
    assert!(has(&lines, &["DEBUG", "name=numbers", "stage started"]));
    assert!(has(
        &lines,
        &["name=numbers", "subscribed", "consumer=sink"]
    ));
    assert!(has(
        &lines,
        &["name=sink", "stage ended", "outcome=completed"]
    ));
    let ours = lines.iter().filter(|line| line.contains("stage_runtime"));
    assert!(ours.count() < 12, "{lines:#?}");
}

#[tokio::test]
async fn what_is_discarded_is_said_with_its_count() {
    struct Burst;

    impl Producer for Burst {
        type Event = u32;

        async fn handle_demand(
            &mut self,
            demand: usize,
            out: &mut Emitter<'_, u32>,
        ) -> StageResult {
            out.extend(0..demand as u32 + 7);
            out.complete();
            Ok(())
        }
    }

    let lines = traced(async {
        let burst = Burst.stage().name("burst").buffer_size(0).spawn();
        let sink = for_each(|_: u32| {}).stage().subscribe_to(&burst).spawn();
        sink.join().await.unwrap();
        assert_eq!(burst.stats().discarded, 7);
    })
    .await;
    assert!(has(
        &lines,
        &[
            "WARN",
            "name=burst",
            "events discarded",
            "count=7",
            "the buffer is full"
        ]
    ));
}

#[tokio::test]
async fn a_failure_is_an_error_with_its_message() {
    let lines = traced(async {
        let numbers = from_iter(0..1).stage().spawn();
        let sink = for_each(|_: i32| panic!("no more"))
            .stage()
            .name("sink")
            .subscribe_to(&numbers)
            .spawn();
        assert!(sink.join().await.is_err());
    })
    .await;
    assert!(has(&lines, &["ERROR", "name=sink", "no more"]));
}
