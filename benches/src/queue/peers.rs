//! Other queues on SQLite: jobs of 256 bytes are enqueued 100 at a time while a worker
//! runs a handler that does nothing.
//!
//! They bring another version of SQLite, of which a program can have only one, so they are
//! a program of their own, in `benches/sqlite-peers`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use stage_pipeline::{Message, Step, acked, handler_fn};
use tokio::runtime::Runtime;

use super::whole::acknowledged;
use super::{Options, ours};
use crate::report::Figures;
use crate::w11_acked::{DEMAND, PROCESSORS};

const JOBS: u64 = 20_000;
const AT_ONCE: u64 = 100;
const PEERS: [&str; 2] = ["effectum", "effectum-wal"];
const BAR: f64 = 5.0;

pub(super) fn run(runtime: &Runtime, options: &Options) {
    let program = options.peers.clone().unwrap_or_else(|| {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("sqlite-peers");
        package.join("target/release/sqlite-peers")
    });
    if !program.exists() {
        println!(
            "\nOther queues are not built: see benches/sqlite-peers/README.md ({})",
            program.display()
        );
        return;
    }
    println!(
        "\n{:<7} {:<16} {:>26} {:>26} {:>7} {:>5}",
        "sync", "peer", "ours, us by job", "peer", "ratio", "bar"
    );
    for peer in PEERS {
        let (mut full, mut normal, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=options.runs {
            let took = [
                jobs(runtime, options, true),
                jobs(runtime, options, false),
                other(&program, options, peer),
            ];
            if round > 0 {
                for (figures, took) in [&mut full, &mut normal, &mut theirs].into_iter().zip(took) {
                    figures.push(took.as_secs_f64() * 1e6 / JOBS as f64);
                }
            }
        }
        let theirs = Figures::new(theirs);
        for (name, ours) in [("full", full), ("normal", normal)] {
            let ours = Figures::new(ours);
            println!(
                "{name:<7} {peer:<16} {:>26} {:>26} {:>6.2}x {BAR:>5}",
                ours.text(),
                theirs.text(),
                theirs.median / ours.median,
            );
        }
    }
}

/// From the first enqueue to the last ack.
fn jobs(runtime: &Runtime, options: &Options, full: bool) -> Duration {
    let dir = options.dir();
    runtime.block_on(async {
        let queue = ours::open(&dir.path().join("queue.db"), full);
        let topic = queue.topic("bench");
        let source = topic.clone();
        let pipeline = acked("bench")
            .source(move || source.source())
            .step(
                Step::new("run").concurrency(PROCESSORS).max_demand(DEMAND),
                || handler_fn(|_: &mut Message<Vec<u8>>| Ok(())),
            )
            .start()
            .expect("the options are valid");
        let started = Instant::now();
        for _ in 0..JOBS / AT_ONCE {
            ours::fill(&topic, AT_ONCE as usize).await;
        }
        acknowledged(&pipeline, JOBS).await;
        let took = started.elapsed();
        pipeline.shutdown().await;
        queue.close().await.expect("the file is sound");
        took
    })
}

fn other(program: &PathBuf, options: &Options, peer: &str) -> Duration {
    let dir = options.dir();
    let output = Command::new(program)
        .arg(peer)
        .arg(dir.path())
        .args([JOBS.to_string(), AT_ONCE.to_string()])
        .output()
        .expect("the program can be started");
    let nanos = String::from_utf8_lossy(&output.stdout).trim().parse();
    Duration::from_nanos(nanos.unwrap_or_else(|_| panic!("{peer} has failed: {output:?}")))
}
