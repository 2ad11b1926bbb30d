//! `census`: counts the identifiers of real source code.
//!
//! A complete application. Each part is a file of its own; [`pipeline`] puts
//! them together. It shows parallel producer-consumers, a partition that sends
//! every identifier to the counter that owns it, a broadcast to all listeners,
//! and memory use that stays flat because nothing is sent without demand. With
//! `--chaos` its stages fail and restart, and the counts stay exact; [`chaos`]
//! explains how.

mod chaos;
mod compare;
mod count;
mod counts;
mod memory;
mod pipeline;
mod plain;
mod progress;
mod report;
mod signals;
mod source;
mod tokeniser;
mod tokens;
mod totals;
mod walk;
mod words;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use stages::BoxError;

use self::chaos::Chaos;
use self::pipeline::{Options, Running};
use self::progress::Progress;
use self::report::Summary;
pub(crate) use self::walk::RootError;
use self::walk::Roots;

/// The options of the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files to count, and folders whose `.rs` files to count. Default: all
    /// source code that cargo has downloaded
    paths: Vec<PathBuf>,
    /// Number of identifiers to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
    /// Number of tokenisers, which read files. Default: the number of cores
    #[arg(long, value_name = "N", value_parser = between::<1024>)]
    workers: Option<usize>,
    /// Number of counters, which share the identifiers. Default: the number of
    /// cores
    #[arg(long, value_name = "N", value_parser = between::<1024>)]
    partitions: Option<usize>,
    /// Number of events that a counter asks each tokeniser for
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = between::<1_000_000>)]
    max_demand: usize,
    /// Print the result as JSON, and nothing else
    #[arg(long)]
    json: bool,
    /// Show no live progress
    #[arg(long)]
    quiet: bool,
    /// Print periodically what the stages wait for, for example every `2s`
    #[arg(long, value_name = "TIME", value_parser = period)]
    explain_every: Option<Duration>,
    /// Have stages panic at random and restart, at steps derived from a seed
    #[arg(long, value_name = "SEED")]
    chaos: Option<u64>,
    /// Compare the throughput with that of a plain loop on one thread
    #[arg(long, conflicts_with_all = ["json", "explain_every", "chaos"])]
    compare: bool,
    /// Number of runs of each for `--compare`
    #[arg(long, value_name = "N", default_value_t = 5, requires = "compare", value_parser = between::<1000>)]
    runs: usize,
}

/// Parses a number from 1 to `MAX`.
fn between<const MAX: usize>(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=MAX).contains(&number) => Ok(number),
        _ => Err(format!("it has to be a number from 1 to {MAX}")),
    }
}

/// Parses a time such as `500ms`.
fn period(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("it has to be longer than that".to_owned()),
        parsed => parsed.map_err(|error| error.to_string()),
    }
}

/// Runs the subcommand.
///
/// # Errors
///
/// [`RootError`] before anything starts, [`stages::Error`] if a stage failed,
/// and the errors of standard output.
pub(crate) async fn run(args: Args) -> Result<(), BoxError> {
    let roots = Roots::new(args.paths)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let options = Options {
        workers: args.workers.unwrap_or(cores),
        partitions: args.partitions.unwrap_or(cores),
        max_demand: args.max_demand,
        chaos: args.chaos.map(|seed| Chaos { seed }),
    };
    let out = io::stdout().lock();
    if args.compare {
        return compare::run(&roots, options, args.runs, out).await;
    }

    let progress = (!args.quiet).then(Progress::new);
    let bar = progress.as_ref().map(Progress::bar);
    let start = Instant::now();
    let running = Running::start(&roots, options, progress)?;
    let stopped = signals::run_to_end(&running.pipeline, args.explain_every, bar).await?;
    let census = running.join().await?;
    let elapsed = start.elapsed();

    if stopped {
        writeln!(io::stderr(), "stopped: this is what was counted so far")?;
    }
    if args.json {
        if !args.quiet {
            report::write_skipped(&census.totals.skipped, io::stderr())?;
        }
        Summary::new(&census, args.top).write_json(out)?;
    } else {
        report::write_text(&census, args.top, elapsed, out)?;
    }
    Ok(())
}
