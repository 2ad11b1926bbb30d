//! Benchmarks of `stages` beside its peers: one file a question, each peer in
//! the same run and in turn with us, medians reported.
//!
//! ```sh
//! cargo run --release -p benches -- compare      # W1 to W11 beside their peers
//! cargo run --release -p benches -- scale        # curves, as plots
//! cargo run --release -p benches -- latency      # from emit to handle
//! cargo run --release -p benches -- allocations  # in the steady state
//! cargo run --release -p benches -- absent       # nobody listens
//! cargo run --release -p benches -- slow         # one of eight is slow
//! cargo run --release -p benches -- queue        # the durable queue
//! cargo run --release -p benches -- once W1      # for a profiler
//! cargo bench -p benches                         # the parts without a runtime
//! ```
//!
//! `genstage/` is GenStage beside us. Nothing here judges a time: a figure that
//! is worse than it was fails nothing.
#![allow(
    clippy::print_stdout,
    reason = "a table on stdout is what this program is for"
)]

mod absent;
mod allocations;
mod counting;
mod latency;
mod measure;
mod once;
mod peers;
mod queue;
mod report;
mod scale;
mod slow;
mod w10_census;
mod w11_acked;
mod w1_chain;
mod w2_unit_demand;
mod w3_deep;
mod w4_fan_out;
mod w5_broadcast;
mod w6_partition;
mod w7_many;
mod w8_cpu;
mod w9_per_event;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use self::measure::Workload;

/// Benchmarks of `stages` beside its peers.
#[derive(Debug, Parser)]
enum Command {
    /// Runs every workload with its peers and prints ns per event
    Compare(measure::Options),
    /// Draws how costs grow with subscribers, stages, demand and size
    Scale(scale::Options),
    /// Prints how long events take from emit to handle, at several rates
    Latency(latency::Options),
    /// Counts allocations by event and by batch in the steady state
    Allocations,
    /// Prints ns and allocations of a notification that nobody listens to
    Absent,
    /// Prints what a slow subscriber of eight costs the others
    Slow,
    /// Runs the durable queue beside hand-written SQLite tables and other queues
    Queue(queue::Options),
    /// Runs one contender of a workload once: for a profiler
    Once(once::Options),
    /// Prints the peak of memory with a million messages waiting
    #[command(hide = true)]
    QueueMemory { case: String, dir: PathBuf },
    /// Prints the bytes of memory that a pair of W7 holds, of one contender
    #[command(hide = true)]
    Memory { runtime: String, contender: String },
}

fn main() -> ExitCode {
    match Command::parse() {
        Command::Compare(options) => compare(&options),
        Command::Scale(options) => return scale::run(&options),
        Command::Latency(options) => latency::run(&options),
        Command::Allocations => allocations::run(),
        Command::Absent => absent::run(),
        Command::Slow => slow::run(),
        Command::Queue(options) => return queue::run(&options),
        Command::Once(options) => return once::run(&options, &workloads()),
        Command::QueueMemory { case, dir } => queue::measure_memory(&case, &dir),
        Command::Memory { runtime, contender } => {
            if let Some(bytes) = w7_many::memory(&runtime, &contender) {
                println!("{bytes}");
            }
        }
    }
    ExitCode::SUCCESS
}

/// In the order of the table; W10, which reads files, is not among them.
fn workloads() -> [Workload; 17] {
    [
        w1_chain::WORKLOAD,
        w1_chain::IN_PLACE,
        w1_chain::CO_LOCATED,
        w2_unit_demand::WORKLOAD,
        w2_unit_demand::TWO,
        w2_unit_demand::TIMER,
        w2_unit_demand::CO_LOCATED,
        w3_deep::WORKLOAD,
        w4_fan_out::WORKLOAD,
        w5_broadcast::WORKLOAD,
        w5_broadcast::PAYLOADS,
        w6_partition::WORKLOAD,
        w7_many::WORKLOAD,
        w8_cpu::WORKLOAD,
        w9_per_event::WORKLOAD,
        w11_acked::WORKLOAD,
        w11_acked::UNBATCHED,
    ]
}

fn compare(options: &measure::Options) {
    let mut rows = Vec::new();
    for workload in workloads() {
        let mut measured = workload.run(options);
        if workload.name == w7_many::WORKLOAD.name {
            w7_many::add_memory(&mut measured);
        }
        rows.extend(measured);
    }
    rows.extend(w10_census::run(options));
    if options.json {
        report::print_json(&rows);
    } else {
        report::print(&rows);
    }
}
