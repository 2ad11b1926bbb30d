//! An acknowledged pipeline over a topic: 8 processors, a batcher of 100. What part of its
//! time has the queue, and what part the pipeline?
//!
//! Beside the whole stand its two parts: the same topic, leased and acknowledged 100 at a
//! time by one caller, and the same pipeline over a source in memory (W11).

use std::time::{Duration, Instant};

use stage_pipeline::{
    AckedPipeline, Batcher, Message, MessageBatch, Step, acked, batch_handler_fn, handler_fn,
};
use stage_queue::{LeaseOptions, Queue, Topic};
use tokio::runtime::Runtime;

use super::{Options, ours};
use crate::report::Figures;
use crate::w11_acked::{self, BATCH, DEMAND, PROCESSORS, TIMEOUT};

const MESSAGES: u64 = 50_000;
/// How often it is looked whether all is acknowledged.
const LOOK: Duration = Duration::from_millis(1);

pub(super) fn run(runtime: &Runtime, options: &Options) {
    println!(
        "\n{:<7} {:<32} {:>26} {:>12}",
        "sync", "50,000 messages waiting", "us by message", "messages/s"
    );
    for full in [true, false] {
        let mut figures = [Vec::new(), Vec::new(), Vec::new()];
        for round in 0..=options.runs {
            let took = [
                through(runtime, options, full),
                by_caller(runtime, options, full),
                in_memory(runtime),
            ];
            for (figures, took) in figures.iter_mut().zip(took) {
                if round > 0 {
                    figures.push(took.as_secs_f64() * 1e6 / MESSAGES as f64);
                }
            }
        }
        let names = [
            "a pipeline over the queue",
            "  the queue alone",
            "  the pipeline alone",
        ];
        for (name, figures) in names.iter().zip(figures.map(Figures::new)) {
            println!(
                "{:<7} {name:<32} {:>26} {:>12.0}",
                if full { "full" } else { "normal" },
                figures.text(),
                1e6 / figures.median
            );
        }
    }
}

/// A pipeline whose handlers do nothing.
pub(super) fn pipeline(topic: Topic) -> AckedPipeline<Vec<u8>> {
    acked("bench")
        .source(move || topic.source())
        .step(
            Step::new("pass").concurrency(PROCESSORS).max_demand(DEMAND),
            || handler_fn(|_: &mut Message<Vec<u8>>| Ok(())),
        )
        .batcher(Batcher::new("all").size(BATCH).timeout(TIMEOUT), || {
            batch_handler_fn(|_: &mut MessageBatch<Vec<u8>>| Ok(()))
        })
        .start()
        .expect("the options are valid")
}

/// Waits until so many messages are acknowledged.
pub(super) async fn acknowledged<T: Send + 'static>(pipeline: &AckedPipeline<T>, messages: u64) {
    while pipeline.ledger().acked < messages {
        tokio::time::sleep(LOOK).await;
    }
}

fn through(runtime: &Runtime, options: &Options, full: bool) -> Duration {
    filled(runtime, options, full, async |_, topic| {
        let started = Instant::now();
        let pipeline = pipeline(topic);
        acknowledged(&pipeline, MESSAGES).await;
        let took = started.elapsed();
        pipeline.shutdown().await;
        took
    })
}

fn by_caller(runtime: &Runtime, options: &Options, full: bool) -> Duration {
    filled(runtime, options, full, async |queue, topic| {
        let started = Instant::now();
        let mut leased = Vec::new();
        let mut acknowledged = 0;
        while acknowledged < MESSAGES {
            let lease = topic.lease(BATCH, LeaseOptions::new(), &mut leased);
            acknowledged += lease.await.expect("the file is sound") as u64;
            let mut settled: Vec<_> = leased.drain(..).map(|one| one.ack()).collect();
            queue.settle(&mut settled).await.expect("the file is sound");
        }
        started.elapsed()
    })
}

fn in_memory(runtime: &Runtime) -> Duration {
    w11_acked::WORKLOAD
        .ours
        .map(|(_, run)| run(runtime, MESSAGES))
        .unwrap_or_default()
}

fn filled(
    runtime: &Runtime,
    options: &Options,
    full: bool,
    work: impl AsyncFnOnce(Queue, Topic) -> Duration,
) -> Duration {
    let dir = options.dir();
    runtime.block_on(async {
        let queue = ours::open(&dir.path().join("queue.db"), full);
        let topic = queue.topic("bench");
        ours::fill(&topic, MESSAGES as usize).await;
        let took = work(queue.clone(), topic).await;
        queue.close().await.expect("the file is sound");
        took
    })
}
