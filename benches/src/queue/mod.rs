//! What does the durable queue cost?
//!
//! - `cycle` enqueues, leases and acknowledges messages of 256 bytes, beside tables written
//!   by hand on the same SQLite.
//! - `whole` is an acknowledged pipeline over a topic, beside its parts.
//! - `peers` is the work of a job queue, beside other queues on SQLite.
//! - `waiting` is the memory that a million messages take in front of a slow sink.

mod by_hand;
mod cycle;
mod ours;
mod peers;
mod setting;
mod waiting;
mod whole;

use std::path::PathBuf;
use std::process::ExitCode;

use tempfile::TempDir;

pub(crate) use self::waiting::measure as measure_memory;
use crate::measure::runtime;

/// How much to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The parts to run; all of them without any.
    parts: Vec<Part>,
    /// Counted runs of each contender; one more comes first and is not
    /// counted.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Seconds that one run of one contender takes.
    #[arg(long, default_value_t = 0.5)]
    secs: f64,
    /// Only groups of this size in `cycle`: for a profiler.
    #[arg(long)]
    group: Option<usize>,
    /// Messages that wait in the queue all the time.
    #[arg(long, default_value_t = 10_000)]
    backlog: usize,
    /// Where the files are put: a real disk, or nothing is synced. Beside the
    /// program if not given.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The program of the other queues. That of `benches/sqlite-peers` if not
    /// given.
    #[arg(long)]
    peers: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Cycle,
    Whole,
    Peers,
    Waiting,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    /// A directory that is removed at the end.
    fn dir(&self) -> TempDir {
        let beside = || std::env::current_exe().ok()?.parent().map(PathBuf::from);
        let dir = self
            .dir
            .clone()
            .or_else(beside)
            .unwrap_or_else(|| ".".into());
        TempDir::new_in(dir).expect("the directory can be written to")
    }
}

pub(crate) fn run(options: &Options) -> ExitCode {
    let runtime = runtime("mt2");
    if options.wants(Part::Cycle) {
        cycle::run(&runtime, options);
    }
    if options.wants(Part::Whole) {
        whole::run(&runtime, options);
    }
    if options.wants(Part::Peers) {
        peers::run(&runtime, options);
    }
    if options.wants(Part::Waiting) {
        waiting::run(options);
    }
    ExitCode::SUCCESS
}
