//! The live display: files, bytes, and events a second.

use std::sync::Arc;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use stages::prelude::*;

use super::totals::{FileReport, Totals};

/// Shows how far the census has come, on standard error and only if that is a
/// terminal.
///
/// The broadcast above it sends no report before all its subscribers asked
/// for one, so a display that was slow would slow down the census. `indicatif`
/// draws a few times a second, however often it is told.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    totals: Totals,
}

impl Progress {
    /// A display that appears with the first report.
    pub(crate) fn new() -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg}");
        Self {
            bar: ProgressBar::new_spinner()
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner())),
            totals: Totals::default(),
        }
    }

    /// Where it is drawn: who else writes to the terminal has to ask it to
    /// step aside.
    pub(crate) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }
}

impl Consumer for Progress {
    type Event = Arc<FileReport>;

    async fn handle_events(
        &mut self,
        reports: &mut Batch<Self::Event>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        for report in reports.iter() {
            self.totals.add(report);
        }
        let Totals {
            files,
            bytes,
            events,
            ..
        } = self.totals;
        self.bar.set_position(events);
        self.bar.set_message(format!(
            "{} files, {}, {} events/s",
            HumanCount(files),
            HumanBytes(bytes),
            HumanCount(self.bar.per_sec() as u64),
        ));
        Ok(())
    }

    /// Gives the line back to the report.
    async fn terminate(&mut self, _outcome: &Outcome) {
        self.bar.finish_and_clear();
    }
}
