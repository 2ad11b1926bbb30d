//! [`Report`]: what a run comes to, for people or as JSON.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use indicatif::HumanCount;
use serde::Serialize;
use stage_pipeline::Ledger;
use stage_queue::TopicStats;

use super::dead::DeadByReason;
use super::store::{Contents, Target};

/// What a run comes to.
pub(crate) struct Report {
    /// Orders that this run has enqueued.
    pub(crate) enqueued: u64,
    /// Orders of the input that an earlier run had enqueued.
    pub(crate) known: u64,
    /// Orders of earlier runs that waited in the queue when this one began.
    pub(crate) waited: u64,
    /// Whether all of the input is enqueued.
    pub(crate) whole_input: bool,
    /// What became of the deliveries of this run.
    pub(crate) ledger: Ledger,
    pub(crate) elapsed: Duration,
    /// The topic at the end.
    pub(crate) topic: TopicStats,
    /// The store at the end.
    pub(crate) stored: Contents,
    /// All dead letters of the topic.
    pub(crate) dead: Vec<DeadByReason>,
    /// What was left at the deadline of the drain.
    pub(crate) undrained: Option<String>,
    pub(crate) queue: PathBuf,
    pub(crate) target: Target,
}

/// The report as JSON, field by field.
#[derive(Serialize)]
struct Json<'a> {
    enqueued: u64,
    known: u64,
    waited: u64,
    whole_input: bool,
    acked: u64,
    dead: u64,
    retries: u64,
    released: u64,
    left: u64,
    seconds: f64,
    per_second: f64,
    stored: u64,
    duplicates: u64,
    dead_letters: &'a [DeadByReason],
    #[serde(skip_serializing_if = "Option::is_none")]
    undrained: Option<&'a str>,
    queue: &'a std::path::Path,
    store: &'a std::path::Path,
}

impl Report {
    /// Orders that are still in the queue.
    fn left(&self) -> u64 {
        self.topic.ready + self.topic.delayed + self.topic.leased
    }

    fn per_second(&self) -> f64 {
        let settled = self.ledger.acked + self.ledger.rejected;
        settled as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// Writes one line of JSON.
    pub(crate) fn write_json(&self, mut out: impl Write) -> io::Result<()> {
        let json = Json {
            enqueued: self.enqueued,
            known: self.known,
            waited: self.waited,
            whole_input: self.whole_input,
            acked: self.ledger.acked,
            dead: self.ledger.rejected,
            retries: self.ledger.retried,
            released: self.ledger.released,
            left: self.left(),
            seconds: self.elapsed.as_secs_f64(),
            per_second: self.per_second(),
            stored: self.stored.orders,
            duplicates: self.stored.duplicates,
            dead_letters: &self.dead,
            undrained: self.undrained.as_deref(),
            queue: &self.queue,
            store: self.target.path(),
        };
        serde_json::to_writer(&mut out, &json)?;
        writeln!(out)
    }

    /// Writes tables and what to do next.
    pub(crate) fn write_text(&self, mut out: impl Write) -> io::Result<()> {
        writeln!(out, "{}", self.summary())?;
        if !self.dead.is_empty() {
            writeln!(out, "\n{}", dead_letters(&self.dead))?;
        }
        writeln!(out)?;
        let (queue, store) = (self.queue.display(), self.target.path().display());
        if let Some(undrained) = &self.undrained {
            writeln!(out, "the drain has not ended in time: {undrained}")?;
        }
        if self.left() > 0 || !self.whole_input {
            let rest = if self.whole_input {
                ""
            } else {
                ", and the rest of the input is not enqueued"
            };
            writeln!(
                out,
                "{} orders are left in {queue}{rest}: run the same command again to go on",
                HumanCount(self.left()),
            )?;
        } else if self.ledger.leased == 0 && self.known > 0 {
            writeln!(
                out,
                "earlier runs have processed all of it: delete {queue} and {store} to begin anew"
            )?;
        }
        writeln!(
            out,
            "{} orders are in {store}, and {} dead letters in {queue}",
            HumanCount(self.stored.orders),
            HumanCount(self.topic.dead),
        )?;
        if self.topic.dead > 0 {
            writeln!(
                out,
                "to list them: cargo run --release -p stage-examples -- queue dead list {queue}"
            )?;
        }
        Ok(())
    }

    fn summary(&self) -> Table {
        let seconds = format!("{:.1}", self.elapsed.as_secs_f64());
        let mut table = table(["this run", ""]);
        for (what, count) in [
            ("orders enqueued", self.enqueued),
            ("orders that were enqueued before", self.known),
            ("orders that waited from before", self.waited),
            ("acked", self.ledger.acked),
            ("dead", self.ledger.rejected),
            ("retries", self.ledger.retried),
            ("left in the queue", self.left()),
            ("stored more than once, in all runs", self.stored.duplicates),
        ] {
            table.add_row([what.to_owned(), HumanCount(count).to_string()]);
        }
        table.add_row(["seconds".to_owned(), seconds]);
        let per_second = HumanCount(self.per_second() as u64).to_string();
        table.add_row(["orders per second".to_owned(), per_second]);
        align_right(&mut table, 1);
        table
    }
}

fn dead_letters(dead: &[DeadByReason]) -> Table {
    let mut rows = table(["dead letters", "", "lines", "the first one"]);
    for kind in dead {
        let lines: Vec<_> = kind.lines.iter().map(ToString::to_string).collect();
        let more = if kind.count > kind.lines.len() as u64 {
            ", ..."
        } else {
            ""
        };
        rows.add_row([
            kind.reason.clone(),
            HumanCount(kind.count).to_string(),
            format!("{}{more}", lines.join(", ")),
            kind.example.clone(),
        ]);
    }
    align_right(&mut rows, 1);
    rows
}

/// Returns a table with a header and without lines around it.
pub(crate) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}

/// Aligns a column to the right, as numbers are.
pub(crate) fn align_right(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}
