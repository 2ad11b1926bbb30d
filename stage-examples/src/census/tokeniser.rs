//! The producer-consumers: read files and emit their identifiers.
//!
//! Reading a file blocks the thread, on purpose. A regular file is always
//! "ready", so the alternative to a blocking read is to block another thread,
//! and handing each file over to it costs more than reading the file from the
//! page cache. There are several tokenisers to keep all cores busy, and a
//! `Demand` dispatcher gives files to those that are free.

use std::path::Path;
use std::sync::Arc;

use stages::prelude::*;

use super::chaos::Fate;
use super::source::{Reader, Skipped};
use super::totals::FileReport;
use super::walk::Found;
use super::words::{Words, divide};

/// An event emitted by a tokeniser.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Identifiers of a file, for the counter that owns them.
    Words(Words),
    /// The report on a file; its identifiers were emitted before it.
    File(Arc<FileReport>),
}

/// The partitions of a tokeniser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// A counter, which owns a part of the identifiers.
    Counter(usize),
    /// The stage that broadcasts the reports.
    Reports,
}

impl Piece {
    /// Returns the partition of this piece.
    pub(crate) const fn owner(&self) -> Owner {
        match self {
            Self::Words(words) => Owner::Counter(words.owner()),
            Self::File(_) => Owner::Reports,
        }
    }

    /// Returns the report, if this is one.
    pub(crate) fn into_report(self) -> Option<Arc<FileReport>> {
        match self {
            Self::File(report) => Some(report),
            Self::Words(_) => None,
        }
    }
}

/// Reads files and finds their identifiers. It keeps nothing from one file to
/// the next, so that a restarted state simply continues.
#[derive(Debug)]
pub(crate) struct Tokeniser {
    partitions: usize,
    reader: Reader,
    fate: Fate,
}

impl Tokeniser {
    /// Returns a tokeniser for `partitions` counters.
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
        // Everything that can fail is done, and nothing has been emitted yet.
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
            // The file's identifiers have been emitted, and nothing from there
            // to here can fail. Taking the file now means that it is never
            // emitted twice.
            out.push(Piece::File(Arc::new(report)));
            files.advance(1);
        }
        Ok(())
    }
}
