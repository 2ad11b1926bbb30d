//! Events that a consumer has handed back, until `handle_returned` has dealt with
//! them.
//!
//! They stay here while the handler has them, as a batch stays in the consumer half
//! while `handle_events` has it. So a handler that is dropped loses none uncounted.

use stage_core::{Batch, Dispatcher, Returned, SubscriptionId};

use super::ProducerHalf;

/// What one consumer has handed back.
pub(super) struct HandedBack<E> {
    consumer: SubscriptionId,
    returned: Returned<E>,
    /// The number of events that came back.
    count: usize,
}

impl<E> HandedBack<E> {
    pub(super) fn new(consumer: SubscriptionId, returned: Returned<E>) -> Self {
        Self {
            consumer,
            count: returned.events.len(),
            returned,
        }
    }
}

impl<D: Dispatcher> ProducerHalf<D> {
    /// Whether `handle_returned` is to be called.
    pub(super) fn has_returned(&self) -> bool {
        let pending = self.pending_callbacks.as_ref();
        pending.is_some_and(|pending| pending.returned.is_some())
    }

    /// Returns the next events to call `handle_returned` with. Without any, fetches from
    /// the links that waited for the last ones, which may have some.
    pub(crate) fn next_returned(&mut self) -> Option<(SubscriptionId, &mut Batch<D::Event>)> {
        let pending = self.pending_callbacks.as_mut()?;
        if pending.returned.is_none() {
            for id in std::mem::take(&mut pending.deferred) {
                self.fetch(id);
            }
        }
        let back = self.pending_callbacks.as_mut()?.returned.as_mut()?;
        Some((back.consumer, &mut back.returned.events))
    }

    /// Buffers what `handle_returned` has left in front of all other events.
    pub(crate) fn hand_back(&mut self) {
        if let Some(returned) = self.take_returned() {
            self.side.hand_back(returned, &mut self.outbox);
            self.apply_outbox();
        }
    }

    /// Takes what `handle_returned` has left, or was not called with, and counts what it
    /// has taken.
    pub(super) fn take_returned(&mut self) -> Option<Returned<D::Event>> {
        let back = self.pending_callbacks.as_mut()?.returned.take()?;
        let HandedBack {
            mut returned,
            count,
            ..
        } = back;
        let left = returned.events.len();
        let taken = count.saturating_sub(left);
        self.shared.counters.taken_back.add(taken);
        if let Some(excess) = left.checked_sub(count).filter(|excess| *excess > 0) {
            tracing::warn!(excess, "`handle_returned` left more events than came back");
            returned.events = returned.events.split_to(count);
        }
        Some(returned)
    }
}
