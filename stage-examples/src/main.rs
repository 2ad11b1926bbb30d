//! Runnable example pipelines; `stage-examples list` lists them.
//!
//! Each subcommand is one file that can be read on its own and begins with what
//! it teaches. The large examples, `census` and `orders`, are folders, and so is
//! `queue`, which looks into the queue that `orders` leaves.

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "to print is what these programs are for"
)]

mod census;
mod counter;
mod dispatcher;
mod gen_event;
mod list;
mod load_shedding;
mod orders;
mod per_event;
mod queue;
mod rate_limiter;
mod supervised;
mod usage;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stages::BoxError;

/// Runnable pipelines built with stages.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    example: Example,
}

#[derive(Debug, Subcommand)]
enum Example {
    /// Describe the examples
    List,
    /// A -> B -> C: how demand paces three stages
    Counter,
    /// A notifier that broadcasts to listeners with selectors
    GenEvent,
    /// A consumer with manual demand, which asks on a timer
    RateLimiter,
    /// Bursts against a slow sink: a bounded queue that sheds load
    LoadShedding,
    /// A task for every event: restarted, listed, stopped
    PerEvent,
    /// A user-defined dispatcher: round-robin
    Dispatcher,
    /// A stage that fails, restarts, and sets aside the events it failed on
    Supervised,
    /// Count the identifiers in real source code
    Census(census::Args),
    /// Orders through a durable queue: acknowledged, retried, never lost
    Orders(orders::Args),
    /// Look into the file of a durable queue, and at its dead letters
    #[command(subcommand)]
    Queue(queue::Command),
}

/// The conventional exit code for wrong usage of a command.
const USAGE: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run(Cli::parse().example).await else {
        return ExitCode::SUCCESS;
    };
    if is_broken_pipe(&error) {
        // As in `census | head`: the reader of the output has closed the pipe.
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {error}");
    if error.is::<census::RootError>() || error.is::<usage::UsageError>() {
        ExitCode::from(USAGE)
    } else {
        ExitCode::FAILURE
    }
}

fn is_broken_pipe(error: &BoxError) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

async fn run(example: Example) -> Result<(), BoxError> {
    match example {
        Example::List => list::run(),
        Example::Counter => counter::run().await?,
        Example::GenEvent => gen_event::run().await?,
        Example::RateLimiter => rate_limiter::run().await?,
        Example::LoadShedding => load_shedding::run().await?,
        Example::PerEvent => per_event::run().await?,
        Example::Dispatcher => dispatcher::run().await?,
        Example::Supervised => supervised::run().await?,
        Example::Census(args) => census::run(args).await?,
        Example::Orders(args) => orders::run(args).await?,
        Example::Queue(command) => queue::run(command).await?,
    }
    Ok(())
}
