//! The output of the census: a report for people, or JSON.

use std::io::{self, Write};
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;
use stages::snapshot::Snapshot;

use super::chaos::ChaosReport;
use super::counts::{Counts, top};
use super::memory;
use super::pipeline::Census;
use super::source::Skipped;
use super::totals::Totals;

/// The result as JSON, field by field.
#[derive(Debug, Serialize)]
pub(crate) struct Summary<'a> {
    files: u64,
    bytes: u64,
    identifiers: u64,
    distinct: usize,
    top: Vec<(&'a str, u64)>,
    skipped: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    chaos: Option<&'a ChaosReport>,
}

impl<'a> Summary<'a> {
    /// Sums the counters and merges their tops.
    pub(crate) fn new(census: &'a Census, limit: usize) -> Self {
        let Totals {
            files,
            bytes,
            identifiers,
            skipped,
            ..
        } = &census.totals;
        let tops = census.counts.iter().flat_map(|counts| counts.top(limit));
        Self {
            files: *files,
            bytes: *bytes,
            identifiers: *identifiers,
            distinct: census.counts.iter().map(Counts::distinct).sum(),
            top: top(tops, limit),
            skipped: skipped.len(),
            chaos: census.chaos_report.as_ref(),
        }
    }

    /// Writes one line of JSON.
    pub(crate) fn write_json(&self, mut out: impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut out, self)?;
        writeln!(out)
    }
}

/// Writes the report for people.
pub(crate) fn write_text(
    census: &Census,
    limit: usize,
    elapsed: Duration,
    mut out: impl Write,
) -> io::Result<()> {
    let summary = Summary::new(census, limit);
    writeln!(out, "{}\n", words(&summary))?;
    writeln!(out, "{}\n", stages(&census.pipeline))?;
    writeln!(
        out,
        "{} files, {}, {} identifiers, {} of them distinct, in {}",
        HumanCount(summary.files),
        HumanBytes(summary.bytes),
        HumanCount(summary.identifiers),
        HumanCount(summary.distinct as u64),
        seconds(elapsed),
    )?;
    if let Some(peak) = memory::peak() {
        let counts: usize = census.counts.iter().map(Counts::memory).sum();
        writeln!(
            out,
            "peak memory {}, of which the counts take about {}",
            HumanBytes(peak),
            HumanBytes(counts as u64),
        )?;
    }
    if let Some(chaos_report) = summary.chaos {
        writeln!(
            out,
            "chaos {}: {} restarts, {} events retried, {} handed back, {} lost",
            chaos_report.seed,
            HumanCount(chaos_report.restarts),
            HumanCount(chaos_report.retried),
            HumanCount(chaos_report.handed_back),
            HumanCount(chaos_report.lost),
        )?;
    }
    write_skipped(&census.totals.skipped, out)
}

/// Lists the skipped files, if there are any.
pub(crate) fn write_skipped(skipped: &[Skipped], mut out: impl Write) -> io::Result<()> {
    if !skipped.is_empty() {
        writeln!(out, "{} skipped:", HumanCount(skipped.len() as u64))?;
    }
    for one in skipped {
        writeln!(out, "  {one}")?;
    }
    Ok(())
}

fn words(summary: &Summary<'_>) -> Table {
    let mut table = table(&["identifier", "count", "share"]);
    for (word, count) in &summary.top {
        let share = 100.0 * *count as f64 / summary.identifiers as f64;
        table.add_row([
            (*word).to_owned(),
            HumanCount(*count).to_string(),
            format!("{share:.2} %"),
        ]);
    }
    table
}

fn stages(pipeline: &Snapshot) -> Table {
    let mut table = table(&[
        "stage",
        "events in",
        "events out",
        "batches in",
        "batches out",
        "in handler",
        "waited for demand",
        "waited for events",
    ]);
    for stage in pipeline.stages.iter().map(|stage| &stage.stats) {
        table.add_row([
            stage.name.to_string(),
            HumanCount(stage.events_in).to_string(),
            HumanCount(stage.events_out).to_string(),
            HumanCount(stage.batches_in).to_string(),
            HumanCount(stage.batches_out).to_string(),
            seconds(stage.in_handlers),
            seconds(stage.waiting_for_demand),
            seconds(stage.waiting_for_events),
        ]);
    }
    table
}

/// Returns a table with names on the left and numbers to the right of them.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Formats a duration in seconds.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}
