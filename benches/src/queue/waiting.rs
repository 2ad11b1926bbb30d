//! How much memory does a million messages in front of a slow sink take?
//!
//! The sink takes 10 ms for a batch of 100. Each case is a process of its own, whose peak
//! of resident memory the kernel knows.

use std::process::Command;
use std::time::Duration;

use futures::FutureExt;
use stage_pipeline::{
    Batcher, Message, MessageBatch, Source, Step, TraceDeadLetters, acked, async_batch_handler_fn,
    handler_fn,
};

use super::{Options, ours};
use crate::measure::runtime;
use crate::w11_acked::{BATCH, DEMAND, Numbers, PROCESSORS, TIMEOUT};

const MESSAGES: usize = 1_000_000;
const SINK: Duration = Duration::from_millis(10);
/// How long the sink works.
const TIME: Duration = Duration::from_secs(10);
const CASES: [&str; 2] = ["in the queue", "a source that counts"];

/// Measures each case in a process of its own.
pub(super) fn run(options: &Options) {
    println!(
        "\n{:<32} {:>14} {:>14}",
        "1,000,000 waiting, a slow sink", "peak MiB", "acknowledged"
    );
    for case in CASES {
        let dir = options.dir();
        let program = std::env::current_exe().expect("the program has a path");
        let output = Command::new(program)
            .args(["queue-memory", case])
            .arg(dir.path())
            .output();
        match output {
            Ok(output) if output.status.success() => {
                print!("{case:<32} {}", String::from_utf8_lossy(&output.stdout));
            }
            failed => println!("{case:<32} failed: {failed:?}"),
        }
    }
}

/// Runs one case in this process, and prints the peak of its memory.
pub(crate) fn measure(case: &str, dir: &std::path::Path) {
    runtime("mt2").block_on(async {
        let acknowledged = if case == CASES[0] {
            let queue = ours::open(&dir.join("queue.db"), true);
            let topic = queue.topic("bench");
            ours::fill(&topic, MESSAGES).await;
            let acknowledged = slow(move || topic.source()).await;
            queue.close().await.expect("the file is sound");
            acknowledged
        } else {
            slow(|| Numbers::below(MESSAGES as u64)).await
        };
        match peak_mib() {
            Some(mib) => println!("{mib:>14.1} {acknowledged:>14}"),
            None => println!("{:>14} {acknowledged:>14}", "not known"),
        }
    });
}

/// Returns how many messages were acknowledged.
async fn slow<S: Source>(source: impl FnMut() -> S + Send + 'static) -> u64 {
    let pipeline = acked("bench")
        .source(source)
        .dead_letters(TraceDeadLetters)
        .step(
            Step::new("pass").concurrency(PROCESSORS).max_demand(DEMAND),
            || handler_fn(|_: &mut Message<S::Data>| Ok(())),
        )
        .batcher(Batcher::new("all").size(BATCH).timeout(TIMEOUT), || {
            async_batch_handler_fn(|_: &mut MessageBatch<S::Data>| {
                async {
                    tokio::time::sleep(SINK).await;
                    Ok(())
                }
                .boxed()
            })
        })
        .start()
        .expect("the options are valid");
    tokio::time::sleep(TIME).await;
    let acknowledged = pipeline.ledger().acked;
    pipeline.shutdown().await;
    acknowledged
}

/// The most memory that was resident at a time, by Linux.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}
