//! One contender, once: what a profiler or a counter of instructions looks at.
//!
//! ```sh
//! perf stat -e instructions:u benches once W1 --runtime current
//! valgrind --tool=callgrind benches once W1 --runtime current --events 500000
//! ```
//!
//! Two runs with different numbers of events, subtracted, give what an event
//! costs without the start.

use std::process::ExitCode;

use crate::measure::{RUNTIMES, Workload, runtime};

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The workload, such as W1 or W5-1KiB.
    workload: String,
    /// Who runs it: us, or a peer by the name that `compare` prints.
    #[arg(long, default_value = "stages")]
    contender: String,
    #[arg(long, default_value = "mt2", value_parser = RUNTIMES)]
    runtime: String,
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
}

/// Runs it and prints how long it took.
pub(crate) fn run(options: &Options, workloads: &[Workload]) -> ExitCode {
    let contender = workloads
        .iter()
        .filter(|workload| workload.name.eq_ignore_ascii_case(&options.workload))
        .flat_map(|workload| workload.ours.iter().chain(workload.peers))
        .find(|(name, _)| *name == options.contender);
    let Some((name, run)) = contender else {
        println!("{} has no {}", options.workload, options.contender);
        return ExitCode::from(2);
    };
    let took = run(&runtime(&options.runtime), options.events);
    let ns = took.as_secs_f64() * 1e9 / options.events as f64;
    println!("{name}: {} events, {ns:.2} ns each", options.events);
    ExitCode::SUCCESS
}
