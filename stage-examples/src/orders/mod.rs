//! `orders`: orders that come whether there is demand or not, and must not get lost.
//!
//! A complete application. Orders are enqueued into a durable queue, a file; an acknowledged
//! pipeline decodes them, looks their customers up, and stores them in batches. It shows
//!
//! - what it takes that nothing is lost: an order is acknowledged to its sender when the queue
//!   has it on the disk ([`enqueue`]), and to the queue when it is stored ([`pipeline`],
//!   [`store`]);
//! - the difference between an order that is wrong, which becomes a dead letter ([`order`]),
//!   and one that could not be processed now, which is tried again ([`lookup`]);
//! - how to end: Ctrl-C drains, and the next run goes on ([`mod@run`]).
//!
//! With `--crash` its process is killed again and again, and what was acknowledged is compared
//! with what was stored; [`crash`] explains how.

mod args;
mod checker;
mod crash;
mod dead;
mod enqueue;
mod events;
mod generate;
mod input;
mod lookup;
mod order;
mod pipeline;
mod progress;
mod report;
mod run;
mod stop;
mod store;

use std::io;

use stages::BoxError;

pub(crate) use self::args::Args;
use self::args::Mode;
use self::events::Events;
pub(crate) use self::report::{align_right, table};
use self::stop::Stop;

/// Runs the subcommand.
///
/// # Errors
///
/// [`UsageError`](crate::usage::UsageError) before anything starts; then the errors of the
/// input, the queue, the store, the pipeline and standard output.
pub(crate) async fn run(args: Args) -> Result<(), BoxError> {
    match args.mode()? {
        Mode::Run(options) => {
            let report = run::run(&options, Stop::CtrlC, Events::Nowhere).await?;
            let out = io::stdout().lock();
            if options.json {
                report.write_json(out)?;
            } else {
                report.write_text(out)?;
            }
        }
        Mode::Worker(options) => {
            run::run(&options, Stop::EndOfInput, Events::Stdout).await?;
        }
        Mode::Crash(options) => crash::run(options).await?,
    }
    Ok(())
}
