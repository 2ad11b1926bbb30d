//! The producer-consumers: file in, identifiers out.
//!
//! Reading a file blocks its thread, on purpose. A regular file is never "not
//! ready", so the alternative to a blocking read is another thread to block;
//! to hand each file over to one costs more than to read it from the page
//! cache. What keeps both cores busy is that there are several tokenisers, to
//! whom a `Demand` dispatcher gives files as they become free.

use std::path::Path;
use std::sync::Arc;

use stages::prelude::*;

use super::chaos::Fate;
use super::source::{Reader, Skipped};
use super::totals::FileReport;
use super::walk::Found;
use super::words::{Words, divide};

/// What a tokeniser emits.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Identifiers of a file, for the counter that owns them.
    Words(Words),
    /// The file is done: its identifiers went ahead of this.
    File(Arc<FileReport>),
}

/// The partitions of a tokeniser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// A counter, which owns its share of the identifiers.
    Counter(usize),
    /// The stage that spreads the reports.
    Reports,
}

impl Piece {
    /// The partition this piece belongs to.
    pub(crate) const fn owner(&self) -> Owner {
        match self {
            Self::Words(words) => Owner::Counter(words.owner()),
            Self::File(_) => Owner::Reports,
        }
    }

    /// The report, if it is one.
    pub(crate) fn into_report(self) -> Option<Arc<FileReport>> {
        match self {
            Self::File(report) => Some(report),
            Self::Words(_) => None,
        }
    }
}

/// Reads files and tells their identifiers apart. Nothing of one file matters
/// for the next, so a new state just goes on.
#[derive(Debug)]
pub(crate) struct Tokeniser {
    partitions: usize,
    reader: Reader,
    fate: Fate,
}

impl Tokeniser {
    /// A tokeniser for so many counters.
    pub(crate) fn new(partitions: usize, fate: Fate) -> Self {
        Self {
            partitions,
            reader: Reader::default(),
            fate,
        }
    }

    fn file(&mut self, path: &Path, out: &mut Emitter<'_, Piece>) -> Result<FileReport, Skipped> {
        let text = self.reader.read(path).map_err(|reason| Skipped {
            path: path.to_owned(),
            reason,
        })?;
        let shares = divide(text, self.partitions);
        // All that can fail has been done, and nothing was emitted yet.
        self.fate.step();
        let before = out.len();
        let mut identifiers = 0;
        out.extend(shares.map(|words| {
            identifiers += words.iter().len() as u64;
            Piece::Words(words)
        }));
        Ok(FileReport::Counted {
            bytes: text.len() as u64,
            identifiers,
            events: (out.len() - before) as u64,
        })
    }
}

impl ProducerConsumer for Tokeniser {
    type In = Found;
    type Out = Piece;

    async fn handle_events(
        &mut self,
        files: &mut Batch<Found>,
        out: &mut Emitter<'_, Piece>,
    ) -> StageResult {
        while let Some(found) = files.peek() {
            self.fate.step();
            let report = match found {
                Ok(path) => self.file(path, out).unwrap_or_else(FileReport::Skipped),
                Err(skipped) => FileReport::Skipped(skipped.clone()),
            };
            // The file has been sent, and from there to here nothing can fail:
            // it is taken now, and never sent again.
            out.push(Piece::File(Arc::new(report)));
            files.advance(1);
        }
        Ok(())
    }
}
