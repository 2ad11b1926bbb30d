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
mod w1_chain;

use clap::Parser;

/// Benchmarks of `stages` beside its peers.
#[derive(Debug, Parser)]
enum Command {
    /// Runs every workload with its peers and prints ns per event.
    Compare(measure::Options),
}

fn main() {
    let Command::Compare(options) = Command::parse();
    let rows = w1_chain::run(&options);
    if options.json {
        println!(
            "{}",
            serde_json::to_string(&rows).expect("rows hold only numbers and names")
        );
    } else {
        measure::print(&rows);
    }
}
