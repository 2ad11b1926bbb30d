//! What a pipeline tells of its stages.

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{AckedPipeline, Batcher, Step, acked};

use crate::support::{Log, batches, pass, secs, within};

/// The stages in order: how many of each part.
fn parts(pipeline: &AckedPipeline<u64>) -> Vec<(String, usize)> {
    let mut parts: Vec<(String, usize)> = Vec::new();
    for stage in &pipeline.snapshot().stages {
        let name = &stage.stats.name;
        let part = name.split('#').next().unwrap_or(name);
        match parts.last_mut() {
            Some((last, count)) if last == part => *count += 1,
            _ => parts.push((part.to_owned(), 1)),
        }
    }
    parts
}

fn expected(parts: &[(&str, usize)]) -> Vec<(String, usize)> {
    let owned = parts.iter().map(|&(part, count)| (part.to_owned(), count));
    owned.collect()
}

fn queue() -> impl FnMut() -> stage_pipeline::memory::MemorySource<u64> + Send + 'static {
    let queue = MemoryQueue::new();
    move || queue.source()
}

#[tokio::test(start_paused = true)]
async fn b123_the_snapshot_names_sources_steps_and_batchers() {
    let pipeline = acked("numbers")
        .source(queue())
        .source(queue())
        .step(Step::new("check").concurrency(3), pass)
        .batcher(Batcher::new("all").concurrency(2), batches(&Log::default()))
        .start()
        .unwrap();
    let stages = [
        ("numbers/source", 2),
        ("numbers/check", 3),
        ("numbers/all", 1),
        ("numbers/all/handler", 2),
    ];
    assert_eq!(parts(&pipeline), expected(&stages));
    let edges: Vec<_> = pipeline
        .guarantees()
        .edges
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        edges,
        [
            "`source` -> `check`: at least once",
            "`check` -> `all`: at least once",
            "`all` -> `all/handler`: at least once",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn b063_b124_without_batchers_there_is_none() {
    let pipeline = acked("numbers")
        .source(queue())
        .step(Step::new("check").concurrency(1), pass)
        .start()
        .unwrap();
    let stages = [("numbers/source", 1), ("numbers/check", 1)];
    assert_eq!(parts(&pipeline), expected(&stages));
}

#[tokio::test(start_paused = true)]
async fn b125_the_snapshot_has_every_batcher() {
    let pipeline = acked("numbers")
        .source(queue())
        .step(Step::new("check").concurrency(1), pass)
        .batcher(
            Batcher::new("small").concurrency(3),
            batches(&Log::default()),
        )
        .batcher(
            Batcher::new("large").concurrency(5),
            batches(&Log::default()),
        )
        .start()
        .unwrap();
    let stages = [
        ("numbers/source", 1),
        ("numbers/check", 1),
        ("numbers/small", 1),
        ("numbers/small/handler", 3),
        ("numbers/large", 1),
        ("numbers/large/handler", 5),
    ];
    assert_eq!(parts(&pipeline), expected(&stages));
}

#[tokio::test(start_paused = true)]
async fn b127_a_pipeline_is_stopped_by_its_handle() {
    let pipeline = acked("numbers")
        .source(queue())
        .step("check", pass)
        .start()
        .unwrap();
    let handle = pipeline.clone();
    within(handle.drain(secs(1))).await.unwrap();
    within(pipeline.join()).await.unwrap();
    let all_ended = pipeline
        .snapshot()
        .stages
        .iter()
        .all(|stage| stage.outcome.is_some());
    assert!(all_ended, "{:?}", pipeline.snapshot());
}
