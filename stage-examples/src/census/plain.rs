//! The same census as a loop on one thread: the reference for the speed and the
//! result of the pipeline.
//!
//! This is the loop one would write without a pipeline, from the same parts:
//! walk, reader, tokeniser, map and hasher. The read buffer is reused for every
//! file, and a word is allocated only when it is first seen.

use super::counts::Counts;
use super::source::{Reader, Skipped};
use super::tokens::identifiers;
use super::totals::{FileReport, Totals};
use super::walk::Roots;

/// Counts the files under `roots`.
pub(crate) fn run(roots: &Roots) -> (Totals, Counts) {
    let mut reader = Reader::default();
    let mut totals = Totals::default();
    let mut counts = Counts::default();
    for found in roots.files() {
        let report = found
            .and_then(|path| match reader.read(&path) {
                Ok(text) => Ok(count(text, &mut counts)),
                Err(reason) => Err(Skipped { path, reason }),
            })
            .unwrap_or_else(FileReport::Skipped);
        totals.add(&report);
    }
    (totals, counts)
}

fn count(text: &str, counts: &mut Counts) -> FileReport {
    let mut found = 0;
    for word in identifiers(text) {
        counts.add(&text[word]);
        found += 1;
    }
    FileReport::Counted {
        bytes: text.len() as u64,
        identifiers: found,
        // Nothing is sent.
        events: 0,
    }
}
