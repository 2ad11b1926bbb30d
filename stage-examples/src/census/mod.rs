//! `census`: which identifiers does real source code use, and how often?
//!
//! A pipeline with a job to do. Each part of it is a file of its own, and
//! what they show together is in [`pipeline`]: parallel producer-consumers, a
//! partition that sends every identifier to the counter that owns it, a
//! broadcast to whoever wants to follow, and memory that stays flat because
//! nothing is sent that was not asked for.

mod compare;
mod count;
mod counts;
mod memory;
mod pipeline;
mod plain;
mod progress;
mod report;
mod source;
mod tokenise;
mod tokens;
mod totals;
mod walk;
mod words;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use stages::BoxError;
use tokio::signal;

use self::pipeline::Plan;
use self::progress::Progress;
use self::report::Summary;
pub(crate) use self::walk::RootError;
use self::walk::Roots;

/// The options of the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files and folders to count; of folders, the `.rs` files. Without any:
    /// all the source code that cargo has downloaded
    paths: Vec<PathBuf>,
    /// How many identifiers to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
    /// How many tokenisers read files; by default one for each core
    #[arg(long, value_name = "N", value_parser = between::<1024>)]
    workers: Option<usize>,
    /// How many counters share the identifiers; by default one for each core
    #[arg(long, value_name = "N", value_parser = between::<1024>)]
    partitions: Option<usize>,
    /// How many events a counter asks each tokeniser for
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = between::<1_000_000>)]
    max_demand: usize,
    /// Print the result as JSON, and nothing else
    #[arg(long)]
    json: bool,
    /// Show no live progress
    #[arg(long)]
    quiet: bool,
    /// Measure against a plain loop on one thread
    #[arg(long, conflicts_with = "json")]
    compare: bool,
    /// How often to run each of the two for `--compare`
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

/// Runs the subcommand.
///
/// # Errors
///
/// [`RootError`] before anything starts, [`stages::Error`] when a stage
/// failed, and what standard output says.
pub(crate) async fn run(args: Args) -> Result<(), BoxError> {
    let roots = Roots::new(args.paths)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let plan = Plan {
        workers: args.workers.unwrap_or(cores),
        partitions: args.partitions.unwrap_or(cores),
        max_demand: args.max_demand,
    };
    let out = io::stdout().lock();
    if args.compare {
        return compare::run(&roots, plan, args.runs, out).await;
    }

    let stop = Arc::new(AtomicBool::new(false));
    tokio::spawn(stop_on_ctrl_c(Arc::clone(&stop)));
    let progress = (!args.quiet).then(Progress::new);
    let start = Instant::now();
    let census = pipeline::run(&roots, plan, progress, Arc::clone(&stop)).await?;
    let elapsed = start.elapsed();

    if stop.load(Ordering::Relaxed) {
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

/// The first Ctrl-C stops the walk, and what is in the pipeline is counted to
/// the end. The second does not wait for that.
async fn stop_on_ctrl_c(stop: Arc<AtomicBool>) {
    if signal::ctrl_c().await.is_ok() {
        stop.store(true, Ordering::Relaxed);
    }
    if signal::ctrl_c().await.is_ok() {
        std::process::exit(130);
    }
}
