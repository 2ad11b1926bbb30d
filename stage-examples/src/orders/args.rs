//! [`Args`]: the options of the subcommand, and what they come to.

use std::path::PathBuf;

use super::input::Input;
use super::pipeline::PipelineOptions;
use super::store::Target;
use crate::usage::UsageError;

/// The options of the subcommand.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A file of orders, one JSON object a line; `-` for standard input. Default: generated
    /// orders, one in a hundred of them invalid
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Number of orders to generate
    #[arg(long, value_name = "N", default_value_t = 25_000, conflicts_with = "input",
          value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    count: u64,
    /// Seed of the generated orders: another one makes other orders
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "input")]
    seed: u64,
    /// The file of the queue. It is created if need be, and is there for the next run
    #[arg(long, value_name = "FILE", default_value = "orders.queue")]
    queue: PathBuf,
    /// The SQLite file to store orders in. Default: the path of the queue, with the ending
    /// `sqlite`
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    database: Option<PathBuf>,
    /// A file of JSON lines to store orders in, instead of a database
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The most orders to process in a second; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    rate: u32,
    /// Number of orders to enqueue in one transaction
    #[arg(long, value_name = "N", default_value_t = 500,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    group: u32,
    /// Number of orders to store in one transaction
    #[arg(long, value_name = "N", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,
    /// Run in a worker process that is killed again and again, at points derived from a seed,
    /// and check at the end that nothing was lost. It uses files of its own
    #[arg(long, value_name = "SEED", conflicts_with_all = ["input", "queue", "database", "output"])]
    crash: Option<u64>,
    /// Print the result as JSON, and nothing else
    #[arg(long)]
    json: bool,
    /// Show no progress bar
    #[arg(long)]
    quiet: bool,
    /// Be the worker process of `--crash`: tell what happens on standard output, and drain
    /// when standard input ends
    #[arg(long, hide = true, conflicts_with_all = ["crash", "json"])]
    worker: bool,
}

/// What to run.
pub(crate) enum Mode {
    /// Process orders, and report.
    Run(RunOptions),
    /// Process orders as the worker of `--crash`.
    Worker(RunOptions),
    /// Run workers, kill them, and check.
    Crash(CrashOptions),
}

/// Options of a run.
#[derive(Debug)]
pub(crate) struct RunOptions {
    pub(crate) input: Input,
    pub(crate) queue: PathBuf,
    pub(crate) target: Target,
    pub(crate) pipeline: PipelineOptions,
    pub(crate) group: usize,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

/// Options of `--crash`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CrashOptions {
    /// Says when workers are killed.
    pub(crate) crash_seed: u64,
    pub(crate) count: u64,
    pub(crate) seed: u64,
    pub(crate) rate: u32,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

impl Args {
    /// Says what to run.
    ///
    /// # Errors
    ///
    /// [`UsageError`] if two files are one.
    pub(crate) fn mode(self) -> Result<Mode, UsageError> {
        if let Some(crash_seed) = self.crash {
            return Ok(Mode::Crash(CrashOptions {
                crash_seed,
                count: self.count,
                seed: self.seed,
                rate: self.rate,
                json: self.json,
                quiet: self.quiet,
            }));
        }
        let target = match (self.database, self.output) {
            (_, Some(output)) => Target::JsonLines(output),
            (Some(database), None) => Target::Sqlite(database),
            (None, None) => Target::Sqlite(self.queue.with_extension("sqlite")),
        };
        if target.path() == self.queue {
            return Err(UsageError(format!(
                "{} cannot be both the queue and the store of the orders; choose another path \
                 for one of them",
                self.queue.display()
            )));
        }
        let input = match self.input {
            None => Input::Generated {
                seed: self.seed,
                count: self.count,
            },
            Some(path) if path.as_os_str() == "-" => Input::Stdin,
            Some(path) => Input::File(path),
        };
        let options = RunOptions {
            input,
            queue: self.queue,
            target,
            pipeline: PipelineOptions {
                rate: self.rate,
                batch: self.batch as usize,
            },
            group: self.group as usize,
            json: self.json,
            quiet: self.quiet,
        };
        Ok(if self.worker {
            Mode::Worker(options)
        } else {
            Mode::Run(options)
        })
    }
}
