//! The batch that a handler has, and what becomes of it when that fails.

use stage_core::{Batch, Interrupted, SubscriptionId};

use crate::dead_letter::CloneBatch;
use crate::link::Settlement;

/// The batch that a handler has now. It stays in front of the queue, and does
/// not go into the handler's future, so that it outlives that one however it
/// ends.
pub(super) struct CurrentBatch<E> {
    pub(super) link: SubscriptionId,
    /// Events it had at first.
    pub(super) count: usize,
    /// A copy of it, where the stage keeps one, as few do.
    kept: Option<Box<[E]>>,
}

/// What is left of a batch whose handler failed.
pub(super) struct FailedBatch<E> {
    /// Events that were in hand and are still owned, oldest first. They come
    /// before those in `remaining`.
    pub(super) owned: Vec<E>,
    pub(super) remaining: Batch<E>,
    /// Events before these that were handled.
    pub(super) handled: usize,
    /// Events that are gone with the handler.
    pub(super) lost: usize,
}

impl<E> CurrentBatch<E> {
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

    /// The handler failed, and has left this of its batch. A handler may put
    /// another batch in the place of its own; what is more than it got is dropped,
    /// because nobody has asked for it.
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

/// Out of line: few stages keep a copy.
#[cold]
fn copy<E>(keep: CloneBatch<E>, batch: &Batch<E>) -> Box<[E]> {
    keep(batch).into_boxed_slice()
}

impl<E> FailedBatch<E> {
    /// What has become of the events that are not `remaining`, if the owned ones
    /// were given to the dead-letter hook.
    pub(super) fn settled(&self) -> Settlement {
        Settlement {
            handled: self.handled,
            dead_lettered: self.owned.len(),
            lost: self.lost,
        }
    }

    /// The owned events go the way of the remaining ones, in front of them.
    pub(super) fn retain_owned(&mut self) {
        if !self.owned.is_empty() {
            let remaining = std::mem::take(&mut self.remaining).into_vec();
            self.owned.extend(remaining);
            self.remaining = Batch::from(std::mem::take(&mut self.owned));
        }
    }
}
