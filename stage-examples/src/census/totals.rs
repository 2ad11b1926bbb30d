//! What became of each file, and the sums over all of them.

use std::sync::Arc;

use stages::prelude::*;

use super::source::Skipped;

/// What became of one file.
#[derive(Debug)]
pub(crate) enum FileReport {
    /// It was counted.
    Counted {
        bytes: u64,
        identifiers: u64,
        /// The events that its identifiers were sent as.
        events: u64,
    },
    /// It was passed over.
    Skipped(Skipped),
}

/// The sums over all files, and the files that are not in them.
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

/// The totals are their own stage: its value at the end is the result.
impl Consumer for Totals {
    type Event = Arc<FileReport>;

    /// Reads by reference: the reports are shared with the progress display.
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
