//! Benchmarks of `stages` beside its peers: one file a question, each peer in
//! the same run and in turn with us, medians reported.
//!
//! ```sh
//! cargo run --release -p benches -- compare
//! ```
#![allow(
    clippy::print_stdout,
    reason = "a table on stdout is what this program is for"
)]

mod measure;
mod peers;
mod report;
mod w10_census;
mod w1_chain;
mod w2_unit_demand;
mod w3_deep;
mod w4_fan_out;
mod w5_broadcast;
mod w6_partition;
mod w7_many;
mod w8_cpu;
mod w9_per_event;

use clap::Parser;

/// Benchmarks of `stages` beside its peers.
#[derive(Debug, Parser)]
enum Command {
    /// Runs every workload with its peers and prints ns per event
    Compare(measure::Options),
    /// Prints the bytes of memory that a pair of W7 holds, of one contender
    #[command(hide = true)]
    Memory { runtime: String, contender: String },
}

fn main() {
    match Command::parse() {
        Command::Compare(options) => compare(&options),
        Command::Memory { runtime, contender } => {
            if let Some(bytes) = w7_many::memory(&runtime, &contender) {
                println!("{bytes}");
            }
        }
    }
}

fn compare(options: &measure::Options) {
    let mut rows = Vec::new();
    for workload in [
        w1_chain::WORKLOAD,
        w2_unit_demand::WORKLOAD,
        w3_deep::WORKLOAD,
        w4_fan_out::WORKLOAD,
        w5_broadcast::WORKLOAD,
        w5_broadcast::PAYLOADS,
        w6_partition::WORKLOAD,
    ] {
        rows.extend(workload.run(options));
    }
    rows.extend(w7_many::run(options));
    rows.extend(w8_cpu::WORKLOAD.run(options));
    rows.extend(w9_per_event::WORKLOAD.run(options));
    rows.extend(w10_census::run(options));
    if options.json {
        report::print_json(&rows);
    } else {
        report::print(&rows);
    }
}
