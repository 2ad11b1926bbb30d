//! The consumers: each counts the identifiers of one partition.
//!
//! A word always comes to the same counter, so its map needs no lock, and the
//! counts of different counters need not be added up.

use stages::prelude::*;

use super::counts::Counts;
use super::tokenise::Piece;

/// Counts what it is sent. At the end `join_stage` gives it back.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    pub(crate) counts: Counts,
}

impl Consumer for Counter {
    type Event = Piece;

    async fn handle_events(
        &mut self,
        pieces: &mut Batch<Piece>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        for piece in pieces {
            if let Piece::Words(words) = piece {
                for word in words.iter() {
                    self.counts.add(word);
                }
            }
        }
        Ok(())
    }
}
