//! The live display: files, bytes, and events per second.

use std::sync::Arc;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use stages::prelude::*;

use super::totals::{FileReport, Totals};

/// Shows the progress of the census on standard error, if that is a terminal.
///
/// The broadcast above it sends a report only when all subscribers have asked
/// for one, so a slow display would slow down the census. `indicatif` limits
/// itself to drawing a few times a second.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    totals: Totals,
}

impl Progress {
    /// Returns a display that appears with the first report.
    pub(crate) fn new() -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg}");
        Self {
            bar: ProgressBar::new_spinner()
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner())),
            totals: Totals::default(),
        }
    }

    /// Returns the progress bar, which other output to the terminal has to
    /// suspend.
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

    /// Clears the line for the report.
    async fn terminate(&mut self, _outcome: &Outcome) {
        self.bar.finish_and_clear();
    }
}
