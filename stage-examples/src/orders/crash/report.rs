//! [`CrashReport`]: what the kills and the checker come to.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::HumanCount;
use serde::Serialize;

use super::schedule::Phase;
use crate::orders::checker::Findings;
use crate::orders::{align_right, table};

/// What the kills and the checker come to.
#[derive(Serialize)]
pub(super) struct CrashReport {
    pub(super) crash_seed: u64,
    /// In which phases workers were killed, in order.
    pub(super) kills: Vec<Phase>,
    #[serde(flatten)]
    pub(super) findings: Findings,
    #[serde(skip)]
    pub(super) elapsed: Duration,
}

impl CrashReport {
    /// Writes a line of JSON, or a table for people.
    pub(super) fn write(&self, json: bool, mut out: impl Write) -> io::Result<()> {
        if json {
            serde_json::to_writer(&mut out, self)?;
            return writeln!(out);
        }
        let found = &self.findings;
        let mut rows = table(["checker", "orders"]);
        for (what, count) in [
            ("attempted to enqueue", found.attempted),
            ("acknowledged to the sender", found.acknowledged),
            ("processed: stored or dead", found.processed),
            ("lost", found.lost),
            ("unexpected", found.unexpected),
            ("recovered: processed, not acknowledged", found.recovered),
            ("under way at the kills", found.under_way),
            ("processed more than once", found.duplicated),
            ("of these, not under way", found.unexplained),
        ] {
            rows.add_row([what.to_owned(), HumanCount(count).to_string()]);
        }
        align_right(&mut rows, 1);
        writeln!(out, "{rows}\n")?;
        let phases: Vec<_> = self.kills.iter().map(ToString::to_string).collect();
        writeln!(
            out,
            "{} kills in {:.1} s: {}",
            self.kills.len(),
            self.elapsed.as_secs_f64(),
            phases.join(", ")
        )?;
        let explained = match found.unexplained {
            0 => "all of orders that were under way at a kill".to_owned(),
            count => format!("{count} of orders that were not under way at a kill"),
        };
        writeln!(
            out,
            "lost {}, duplicates {}: {explained}",
            found.lost, found.duplicates
        )?;
        for (what, first) in [
            ("lost", &found.first_lost),
            ("unexpected", &found.first_unexpected),
        ] {
            if !first.is_empty() {
                writeln!(out, "the first {what} lines: {first:?}")?;
            }
        }
        Ok(())
    }
}
