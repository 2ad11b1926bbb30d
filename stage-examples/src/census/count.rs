//! The consumers: each counts the identifiers of one partition.
//!
//! A word always goes to the same counter, so a counter shares its map with no
//! other, and the results of counters are disjoint.

use stages::prelude::*;

use super::chaos::{Fate, Kept};
use super::counts::Counts;
use super::tokeniser::Piece;

/// Counts words. The counts are kept outside the state, so that they survive a
/// restart.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    counts: Kept<Counts>,
    fate: Fate,
}

impl Counter {
    pub(crate) const fn new(counts: Kept<Counts>, fate: Fate) -> Self {
        Self { counts, fate }
    }
}

impl Consumer for Counter {
    type Event = Piece;

    async fn handle_events(
        &mut self,
        pieces: &mut Batch<Piece>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        let mut counts = self.counts.lock();
        while let Some(piece) = pieces.peek() {
            // Fails between two events only, so that every event is counted as
            // a whole or not at all. The rest, adding to a map, does not fail.
            self.fate.step();
            if let Piece::Words(words) = piece {
                for word in words.iter() {
                    counts.add(word);
                }
            }
            pieces.advance(1);
        }
        Ok(())
    }
}
