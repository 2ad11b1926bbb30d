//! Tests that the pipeline and the plain loop count the same, with any number
//! of stages, and with slow or stopped ones.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::*;
use crate::census::plain;

const OPTIONS: Options = Options {
    workers: 2,
    partitions: 2,
    max_demand: 4,
    chaos: None,
};

fn roots(path: &Path) -> Roots {
    Roots::new(vec![path.to_owned()]).unwrap()
}

/// Creates `files` files in a few folders, each with unique and with common
/// words, and one of each kind that is skipped.
fn tree(files: usize) -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    for n in 0..files {
        let folder = tree.path().join(format!("folder{}", n % 7));
        fs::create_dir_all(&folder).unwrap();
        let mut text = String::from("fn größe(&self) -> usize { self.größe_ + 1u8 }\n");
        for word in 0..n % 50 {
            write!(text, "let word{word} = own{n}_{word}; ").unwrap();
        }
        fs::write(folder.join(format!("file{n}.rs")), text).unwrap();
    }
    fs::write(tree.path().join("binary.rs"), "word0\0").unwrap();
    fs::write(tree.path().join("latin1.rs"), b"word0 gr\xf6\xdfe").unwrap();
    tree
}

fn paths(totals: &Totals) -> BTreeSet<PathBuf> {
    totals
        .skipped
        .iter()
        .map(|skipped| skipped.path.clone())
        .collect()
}

fn merged(counts: impl IntoIterator<Item = Counts>) -> Counts {
    let mut all = Counts::default();
    for counts in counts {
        all.absorb(counts);
    }
    all
}

async fn run(roots: &Roots, options: Options) -> Census {
    let running = Running::start(roots, options, None).unwrap();
    running.join().await.unwrap()
}

async fn assert_same_as_plain(roots: &Roots, options: Options) {
    let (totals, counts) = plain::run(roots);
    let census = run(roots, options).await;
    assert_eq!(census.totals.files, totals.files, "{options:?}");
    assert_eq!(census.totals.bytes, totals.bytes, "{options:?}");
    assert_eq!(census.totals.identifiers, totals.identifiers, "{options:?}");
    assert_eq!(paths(&census.totals), paths(&totals), "{options:?}");
    assert_eq!(census.counts.len(), options.partitions);
    assert_eq!(merged(census.counts), counts, "{options:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_is_counted_as_by_the_plain_loop_however_the_pipeline_is_cut() {
    let tree = tree(120);
    let roots = roots(tree.path());
    for workers in [1, 2, 5] {
        for partitions in [1, 2, 7] {
            for max_demand in [1, 2, 1000] {
                let options = Options {
                    workers,
                    partitions,
                    max_demand,
                    chaos: None,
                };
                assert_same_as_plain(&roots, options).await;
            }
        }
    }
}

#[tokio::test]
async fn one_thread_is_enough() {
    let tree = tree(60);
    assert_same_as_plain(&roots(tree.path()), OPTIONS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sources_of_this_workspace_are_counted_as_by_the_plain_loop() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let members = fs::read_dir(workspace)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut sources: Vec<_> = members.map(|member| member.join("src")).collect();
    sources.push(workspace.join("src"));
    sources.retain(|source| source.is_dir());
    assert!(sources.len() > 2, "{sources:?}");
    assert_same_as_plain(&Roots::new(sources).unwrap(), OPTIONS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_folder_is_counted_too() {
    let empty = tempfile::tempdir().unwrap();
    assert_same_as_plain(&roots(empty.path()), OPTIONS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broadcast_reaches_the_progress_display_and_the_totals_alike() {
    let tree = tree(40);
    let progress = Some(Progress::new());
    let running = Running::start(&roots(tree.path()), OPTIONS, progress).unwrap();
    let census = running.join().await.unwrap();
    let received = |name| {
        let mut stages = census.pipeline.stages.iter().map(|stage| &stage.stats);
        let stage = stages.find(|stage| &*stage.name == name);
        stage.map(|stage| stage.events_in)
    };
    assert_eq!(received("totals"), Some(42));
    assert_eq!(received("progress"), Some(42));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_when_it_was_drained_is_the_result() {
    let tree = tree(300);
    let roots = roots(tree.path());

    // Drains in mid-run, while the counters are blocked.
    let gate = Arc::new(Semaphore::new(0));
    let running = held(&roots, [&gate, &gate]);
    at_rest(&running).await;
    gate.close();
    running.pipeline.drain(Duration::MAX).await.unwrap();

    let census = running.join().await.unwrap();
    assert!(
        (1..300).contains(&census.totals.files),
        "{}",
        census.totals.files
    );
    assert_eq!(merged(census.counts).total(), census.totals.identifiers);
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_that_fail_again_and_again_change_nothing() {
    let tree = tree(300);
    let roots = roots(tree.path());
    for seed in 0..10 {
        let chaos = Some(Chaos { seed });
        let options = Options { chaos, ..OPTIONS };
        assert_same_as_plain(&roots, options).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_drained_in_the_midst_of_chaos_is_accounted_for() {
    let tree = tree(600);
    let roots = roots(tree.path());
    for seed in 0..10 {
        let chaos = Some(Chaos { seed });
        let running = Running::start(&roots, Options { chaos, ..OPTIONS }, None).unwrap();
        sleep(Duration::from_millis(seed)).await;
        running.pipeline.drain(Duration::MAX).await.unwrap();
        let census = running.join().await.unwrap();
        assert_eq!(merged(census.counts).total(), census.totals.identifiers);
        for link in census.pipeline.links {
            assert!(link.totals.balance(), "{link:?}");
            assert_eq!(link.totals.delivered, link.totals.handled, "{link:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_stands_still_holds_up_the_walker_and_loses_nothing() {
    let tree = tree(600);
    let roots = roots(tree.path());
    let gate = Arc::new(Semaphore::new(0));
    let open = Arc::new(Semaphore::new(0));
    open.close();
    let running = held(&roots, [&gate, &open]);

    at_rest(&running).await;
    let walked = walked(&running);
    // Each tokeniser may hold one queue and one demand of events for the
    // blocked counter, and the files it asked for.
    let bound = OPTIONS.workers * (3 * OPTIONS.max_demand + 2 * FILES_AHEAD);
    assert!(
        walked <= bound as u64,
        "{walked} files walked, {bound} would be fine"
    );
    let explanation = running.pipeline.explain(Duration::from_millis(100));
    assert!(
        explanation.to_string().starts_with("`counter 0`"),
        "{explanation}"
    );

    gate.close();
    let census = running.join().await.unwrap();
    let (plain_totals, plain_counts) = plain::run(&roots);
    assert_eq!(census.totals.identifiers, plain_totals.identifiers);
    assert_eq!(merged(census.counts), plain_counts);
}

/// A counter that waits until its gate is closed.
struct Held {
    counter: Counter,
    gate: Arc<Semaphore>,
}

/// Starts a census in which each counter has such a gate.
fn held(roots: &Roots, gates: [&Arc<Semaphore>; 2]) -> Running {
    let gates = gates.map(Arc::clone);
    let held = move |n: usize, counter| {
        let gate = Arc::clone(&gates[n]);
        Held { counter, gate }
    };
    Running::start_with(roots, OPTIONS, None, held).unwrap()
}

impl Consumer for Held {
    type Event = Piece;

    async fn handle_events(
        &mut self,
        pieces: &mut Batch<Piece>,
        cx: &mut Context<'_>,
    ) -> StageResult {
        // The semaphore never has a permit; the wait ends when it is closed.
        let _ = self.gate.acquire().await;
        self.counter.handle_events(pieces, cx).await
    }
}

fn walked(running: &Running) -> u64 {
    let snapshot = running.pipeline.snapshot();
    let walker = snapshot.stages.first();
    walker.map_or(0, |walker| walker.stats.events_out)
}

/// Waits until no file has been walked for 200 ms.
async fn at_rest(running: &Running) {
    let mut before = None;
    loop {
        let now = walked(running);
        if before == Some(now) && now > 0 {
            return;
        }
        before = Some(now);
        sleep(Duration::from_millis(200)).await;
    }
}
