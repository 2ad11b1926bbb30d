//! The batch that a handler is working on, and what is left of it when the handler
//! fails.
//!
//! Taking an event is what counts. The events that a failed handler took last are in
//! hand: the stage cannot know whether the handler was done with them. Those that it
//! took before are handled, and those that it did not reach are handed on.

use stage_core::{Batch, Interrupted, SubscriptionId};

use crate::dead_letter::CloneBatch;
use crate::link::Settlement;

/// The record of the batch that a handler is working on.
///
/// The batch itself stays in front of the consumer half's queue. The handler only
/// borrows it, so it survives a handler that fails, panics or is dropped.
pub(super) struct CurrentBatch<E> {
    /// The subscription that the batch came over.
    pub(super) link: SubscriptionId,
    /// How many events the handler got.
    pub(super) count: usize,
    /// A copy of the batch, with the option `retain_taken`.
    kept: Option<Box<[E]>>,
}

/// The parts of a batch whose handler failed. In the order of the batch these are
/// the handled events, those in hand (lost or owned), and the remaining ones.
pub(super) struct FailedBatch<E> {
    /// Events in hand that the stage still owns, oldest first: the one that the
    /// handler read in place, or the copies of those that it took last.
    pub(super) owned: Vec<E>,
    /// Events that the handler had not reached.
    pub(super) remaining: Batch<E>,
    /// How many events were handled: taken before the last step of the handler.
    pub(super) handled: usize,
    /// How many events in hand were moved into the handler and are lost.
    pub(super) lost: usize,
}

impl<E> CurrentBatch<E> {
    /// Records `batch`, which a handler is about to get, and copies it with
    /// `keep`.
    #[inline]
    pub(super) fn new(
        link: SubscriptionId,
        batch: &mut Batch<E>,
        keep: Option<CloneBatch<E>>,
    ) -> Self {
        batch.untouched();
        Self {
            link,
            count: batch.len(),
            kept: keep.map(|keep| copy(keep, batch)),
        }
    }

    /// Splits up what the failed handler has left of its batch.
    ///
    /// The handler may have replaced its batch by another one. Events beyond the
    /// number that it got are dropped, because nobody has asked for them.
    pub(super) fn fail(self, mut batch: Batch<E>) -> FailedBatch<E> {
        let surplus = batch.split_off_with(self.count, Vec::new);
        if !surplus.is_empty() {
            tracing::warn!(
                count = surplus.len(),
                "events dropped: a handler that failed left more in its batch than it had got"
            );
        }
        let Interrupted {
            handled,
            moved,
            held,
        } = batch.interrupted(self.count);
        let mut owned: Vec<E> = match self.kept {
            Some(kept) => kept
                .into_vec()
                .into_iter()
                .skip(handled)
                .take(moved)
                .collect(),
            None => Vec::new(),
        };
        let lost = moved - owned.len();
        if held {
            owned.extend(batch.pop_front());
        }
        FailedBatch {
            owned,
            remaining: batch,
            handled,
            lost,
        }
    }
}

/// Copies a batch. Out of line, because few stages set `retain_taken`.
#[cold]
fn copy<E>(keep: CloneBatch<E>, batch: &Batch<E>) -> Box<[E]> {
    keep(batch).into_boxed_slice()
}

impl<E> FailedBatch<E> {
    /// Returns the settlement of the events that are not `remaining`. Those in
    /// `owned` count as dead-lettered.
    pub(super) fn settlement(&self) -> Settlement {
        Settlement {
            handled: self.handled,
            dead_lettered: self.owned.len(),
            lost: self.lost,
        }
    }

    /// Moves the owned events to the front of the remaining ones, so that they are
    /// handled again and not dead-lettered.
    pub(super) fn retain_owned(&mut self) {
        if !self.owned.is_empty() {
            let remaining = std::mem::take(&mut self.remaining).into_vec();
            self.owned.extend(remaining);
            self.remaining = Batch::from(std::mem::take(&mut self.owned));
        }
    }
}
