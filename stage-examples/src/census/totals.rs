//! [`Totals`]: the sums over the reports on all files.

use std::sync::Arc;

use stages::prelude::*;

use super::source::Skipped;

/// The report on one file.
#[derive(Debug)]
pub(crate) enum FileReport {
    /// The file was counted.
    Counted {
        bytes: u64,
        identifiers: u64,
        /// The number of events that its identifiers were sent in.
        events: u64,
    },
    /// The file was skipped.
    Skipped(Skipped),
}

/// The sums over all files, without the skipped ones, which are listed.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) identifiers: u64,
    pub(crate) events: u64,
    pub(crate) skipped: Vec<Skipped>,
}

impl Totals {
    /// Adds one file.
    pub(crate) fn add(&mut self, report: &FileReport) {
        match report {
            FileReport::Counted {
                bytes,
                identifiers,
                events,
            } => {
                self.files += 1;
                self.bytes += bytes;
                self.identifiers += identifiers;
                self.events += events;
            }
            FileReport::Skipped(skipped) => self.skipped.push(skipped.clone()),
        }
    }
}

/// The totals are a stage themselves: its final state is the result.
impl Consumer for Totals {
    type Event = Arc<FileReport>;

    /// Reads by reference, because the reports are shared with the progress
    /// display.
    async fn handle_events(
        &mut self,
        reports: &mut Batch<Self::Event>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        for report in reports.iter() {
            self.add(report);
        }
        Ok(())
    }
}
