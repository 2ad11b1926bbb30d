//! `--crash`: workers are killed with `kill -9`, and nothing may get lost.
//!
//! A worker enqueues and processes, as without `--crash`, and tells its parent what it does.
//! The parent kills it at points that come from the seed, in the middle of enqueueing,
//! processing and draining, and starts another one, which goes on. When all is done, a checker
//! compares what was acknowledged with what is in the database and among the dead letters.
//!
//! After each kill the parent reads which orders were leased: they are delivered again, and
//! some of them are processed for the second time. There must be no other duplicates.

mod report;
mod schedule;
mod worker;

use std::path::PathBuf;
use std::time::Instant;

use indicatif::ProgressBar;
use stages::BoxError;
use tempfile::TempDir;
use tokio::time::sleep;

use self::report::CrashReport;
use self::schedule::{Action, Kill, Phase, Watch, schedule};
use self::worker::Worker;
use super::args::CrashOptions;
use super::checker::History;
use super::dead;
use super::enqueue::LINE_HEADER;
use super::events::{Event, Events};
use super::run::{self, TOPIC};
use super::store::{Store, Target};
use crate::queue::tables::Tables;

/// Runs workers until everything is processed, and checks.
///
/// # Errors
///
/// If a promise was broken, or a worker has failed by itself.
pub(super) async fn run(options: CrashOptions) -> Result<(), BoxError> {
    let dir = tempfile::Builder::new().prefix("orders-crash-").tempdir()?;
    let started = Instant::now();
    let mut trial = Trial::new(options, &dir);
    trial.run().await?;
    let report = CrashReport {
        crash_seed: options.crash_seed,
        kills: trial.kills.clone(),
        findings: trial.check().await?,
        elapsed: started.elapsed(),
    };
    report.write(options.json, std::io::stdout().lock())?;
    if report.findings.are_sound() {
        return Ok(());
    }
    let kept = dir.keep();
    Err(format!(
        "a promise was broken with --crash {}: see the table; the files are kept in {}",
        options.crash_seed,
        kept.display()
    )
    .into())
}

/// A series of workers on the same files.
struct Trial {
    options: CrashOptions,
    queue: PathBuf,
    database: PathBuf,
    history: History,
    /// In which phases workers were killed.
    kills: Vec<Phase>,
    bar: ProgressBar,
}

impl Trial {
    fn new(options: CrashOptions, dir: &TempDir) -> Self {
        let bar = if options.quiet {
            ProgressBar::hidden()
        } else {
            ProgressBar::new_spinner()
        };
        Self {
            options,
            queue: dir.path().join("orders.queue"),
            database: dir.path().join("orders.sqlite"),
            history: History::default(),
            kills: Vec::new(),
            bar,
        }
    }

    /// Kills a worker for each kill of the schedule, and lets the last one end.
    async fn run(&mut self) -> Result<(), BoxError> {
        let mut kills = schedule(self.options.crash_seed).into_iter().map(Some);
        while self.work(kills.next().flatten()).await? == Work::Goes {}
        self.bar.finish_and_clear();
        Ok(())
    }

    /// Runs one worker up to its kill or its end.
    async fn work(&mut self, kill: Option<Kill>) -> Result<Work, BoxError> {
        let mut worker = Worker::start(self.options, &self.queue, &self.database)?;
        let mut watch = kill.map(Watch::new);
        let mut asked = false;
        while let Some(event) = worker.event().await? {
            self.note(event);
            let (Some(kill), Some(next)) = (kill, watch.as_mut().map(|watch| watch.next(event)))
            else {
                continue;
            };
            match next {
                Action::Wait => {}
                Action::Drain => {
                    asked = true;
                    worker.drain();
                }
                Action::Kill => {
                    sleep(kill.pause).await;
                    worker.kill()?;
                    // What it said before is read to the end, and counts.
                    watch = None;
                }
            }
        }
        let status = worker.ended().await?;
        if status.success() {
            // It was asked to drain, and was too fast to be killed, or it has done everything.
            return Ok(if asked { Work::Goes } else { Work::Done });
        }
        let Some(kill) = kill.filter(|_| watch.is_none()) else {
            return Err(format!("a worker has failed by itself: {status}").into());
        };
        self.kills.push(kill.phase);
        self.note_under_way()?;
        self.bar
            .set_message(format!("killed {} times", self.kills.len()));
        Ok(Work::Goes)
    }

    /// Reads which orders were leased to the worker that was killed.
    fn note_under_way(&mut self) -> Result<(), BoxError> {
        for order in Tables::open(&self.queue)?.leased(TOPIC)? {
            let line = order.headers.iter().find(|(name, _)| name == LINE_HEADER);
            let line = line.and_then(|(_, line)| line.as_str());
            let line: u64 = line.ok_or("a leased order has no line")?.parse()?;
            *self.history.under_way.entry(line).or_default() += 1;
        }
        Ok(())
    }

    fn note(&mut self, event: Event) {
        self.bar.tick();
        match event {
            Event::Enqueueing { first, last } => self.history.attempted.extend(first..=last),
            Event::Enqueued { first, last } => self.history.acknowledged.extend(first..=last),
            Event::AllEnqueued | Event::Stored { .. } | Event::Draining => {}
        }
    }

    /// Reads what was processed, and has it checked.
    async fn check(&mut self) -> Result<super::checker::Findings, BoxError> {
        let store = Store::open(&Target::Sqlite(self.database.clone()), Events::Nowhere)?;
        let processed = &mut self.history.processed;
        *processed = store.contents().await?.by_line;
        let queue = run::open(&self.queue)?;
        // An order that was rejected is processed, too.
        dead::for_each(&queue.topic(TOPIC), |letter| {
            if let Some(line) = dead::line_of(letter) {
                *processed.entry(line).or_default() += 1;
            }
        })
        .await?;
        queue.close().await?;
        Ok(self.history.check())
    }
}

/// Whether there is more to do.
#[derive(Debug, PartialEq, Eq)]
enum Work {
    Goes,
    Done,
}
