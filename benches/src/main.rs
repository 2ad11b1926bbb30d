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
mod w1_chain;
mod w2_unit_demand;
mod w3_deep;

use clap::Parser;

/// Benchmarks of `stages` beside its peers.
#[derive(Debug, Parser)]
enum Command {
    /// Runs every workload with its peers and prints ns per event.
    Compare(measure::Options),
}

fn main() {
    match Command::parse() {
        Command::Compare(options) => compare(&options),
    }
}

fn compare(options: &measure::Options) {
    let mut rows = Vec::new();
    for workload in [
        w1_chain::WORKLOAD,
        w2_unit_demand::WORKLOAD,
        w3_deep::WORKLOAD,
    ] {
        rows.extend(workload.run(options));
    }
    if options.json {
        report::print_json(&rows);
    } else {
        report::print(&rows);
    }
}
