//! `queue`: looks into the file of a queue, and at its dead letters.
//!
//! `stats`, `peek` and `dead list` read beside whoever uses the queue ([`tables`]): they take
//! no lease, and wait for nobody. `dead retry` and `dead clear` write, as any other process may
//! that opens the queue ([`dead`]).

mod dead;
mod print;
pub(crate) mod tables;

use std::io;
use std::path::{Path, PathBuf};

use stages::BoxError;

use self::tables::Tables;
use crate::usage::UsageError;

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Count what is in each topic, and what has happened in it
    Stats(Look),
    /// List the messages that are ready, in the order in which they will be leased
    Peek {
        #[command(flatten)]
        look: Look,
        /// The most messages to list of each topic
        #[arg(long, value_name = "N", default_value_t = 10)]
        count: u32,
    },
    /// List, retry or clear dead letters
    #[command(subcommand)]
    Dead(DeadCommand),
}

/// What to do with dead letters.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum DeadCommand {
    /// List dead letters and their reasons, the oldest first
    List {
        #[command(flatten)]
        look: Look,
        /// The most dead letters to list of each topic
        #[arg(long, value_name = "N", default_value_t = 20)]
        count: u32,
    },
    /// Make dead letters ready again, with no deliveries counted
    Retry(Change),
    /// Delete dead letters
    Clear(Change),
}

/// Where to look.
#[derive(Debug, clap::Args)]
pub(crate) struct Look {
    /// The file of the queue
    file: PathBuf,
    /// Look at this topic only
    #[arg(long)]
    topic: Option<String>,
    /// Print JSON, and nothing else
    #[arg(long)]
    json: bool,
}

/// Which dead letters to change.
#[derive(Debug, clap::Args)]
pub(crate) struct Change {
    /// The file of the queue
    file: PathBuf,
    /// The topic; needed if there are several
    #[arg(long)]
    topic: Option<String>,
    /// Only the message with this number. Default: all
    #[arg(long, value_name = "N")]
    id: Option<u64>,
    /// Print JSON, and nothing else
    #[arg(long)]
    json: bool,
}

/// Runs a subcommand.
///
/// # Errors
///
/// [`UsageError`] if the file is no queue, or has no such topic; then the errors of the queue
/// and of standard output.
pub(crate) async fn run(command: Command) -> Result<(), BoxError> {
    let out = io::stdout().lock();
    match command {
        Command::Stats(look) => {
            let tables = Tables::open(&look.file)?;
            print::stats(&tables.stats(look.topic.as_deref())?, look.json, out)?;
        }
        Command::Peek { look, count } => {
            let tables = Tables::open(&look.file)?;
            print::ready(&tables.ready(look.topic.as_deref(), count)?, look.json, out)?;
        }
        Command::Dead(DeadCommand::List { look, count }) => {
            let tables = Tables::open(&look.file)?;
            print::dead(&tables.dead(look.topic.as_deref(), count)?, look.json, out)?;
        }
        Command::Dead(DeadCommand::Retry(change)) => {
            let topic = only_topic(&change.file, change.topic.as_deref())?;
            let retried = dead::retry(&change.file, &topic, change.id).await?;
            print::changed("retried", &topic, retried, change.json, out)?;
        }
        Command::Dead(DeadCommand::Clear(change)) => {
            let topic = only_topic(&change.file, change.topic.as_deref())?;
            let cleared = dead::clear(&change.file, &topic, change.id).await?;
            print::changed("cleared", &topic, cleared, change.json, out)?;
        }
    }
    Ok(())
}

/// Returns the topic that was given, if it is there, or the only one that is. Nothing is
/// created by a name that is misspelt.
fn only_topic(file: &Path, given: Option<&str>) -> Result<String, BoxError> {
    let topics = Tables::open(file)?.topics(given)?;
    match &topics[..] {
        [(_, only)] => Ok(only.clone()),
        several => {
            let names: Vec<_> = several
                .iter()
                .map(|(_, name)| format!("`{name}`"))
                .collect();
            Err(UsageError(format!(
                "{} has {} topics: {}; name one of them with --topic",
                file.display(),
                several.len(),
                names.join(", ")
            ))
            .into())
        }
    }
}
