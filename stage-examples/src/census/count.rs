//! The consumers: each counts the identifiers of one partition.
//!
//! A word always comes to the same counter, so nobody else waits for its map,
//! and the counts of different counters need not be added up.

use stages::prelude::*;

use super::chaos::{Fate, Kept};
use super::counts::Counts;
use super::tokeniser::Piece;

/// Counts what it is sent, into counts that it does not take along when it
/// fails.
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
            // Between two events, and so with every event counted whole or not
            // at all. What follows does not fail: it adds to a map.
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
