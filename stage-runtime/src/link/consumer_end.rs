//! The consumer's end of a link.

use std::collections::VecDeque;
use std::sync::Arc;

use stage_core::{Batch, Outcome};

use super::state::{Ended, Input, Link, WakeProducer};

/// What has become of events that a consumer was delivered.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settlement {
    pub(crate) handled: usize,
    pub(crate) dead_lettered: usize,
    pub(crate) lost: usize,
}

/// The consumer's end: asks, receives batches. Dropped without
/// [`cancel`](ConsumerEnd::cancel), it tells the producer that the consumer is
/// gone.
#[derive(Debug)]
pub(crate) struct ConsumerEnd<E>(Arc<Link<E>>);

impl<E> ConsumerEnd<E> {
    pub(super) const fn new(link: Arc<Link<E>>) -> Self {
        Self(link)
    }

    /// Asks for `demand` more events.
    pub(crate) fn ask(&self, demand: usize) {
        if demand > 0 {
            self.0.to_producer(|state| {
                state.ask(demand);
                WakeProducer::OnDemand
            });
        }
    }

    /// A batch of `count` events has been handled: gives the emptied buffer back
    /// to be filled again, and asks for `demand` more events. Wakes the producer
    /// only if there is something for it to do.
    #[inline(always)]
    pub(crate) fn handled(&self, count: usize, mut spare: Option<Vec<E>>, demand: usize) {
        self.0.to_producer(|state| {
            state.totals.handled += count as u64;
            state.ask(demand);
            state.keep_spare(&mut spare);
            match state.wake_if_settled() {
                WakeProducer::No if demand > 0 => WakeProducer::OnDemand,
                wake => wake,
            }
        });
    }

    /// Accounts for events whose handler failed.
    pub(crate) fn account(&self, settled: Settlement) {
        self.0.to_producer(|state| {
            let totals = &mut state.totals;
            totals.handled += settled.handled as u64;
            totals.dead_lettered += settled.dead_lettered as u64;
            totals.lost += settled.lost as u64;
            state.wake_if_settled()
        });
    }

    /// Sets whether this is the consumer's only link to a producer, which needs
    /// no list when it is notified.
    pub(crate) fn set_only(&self, only: bool) {
        self.0.lock().only_producer = only;
    }

    /// The stage asks by hand, or no longer does.
    pub(crate) fn set_manual(&self, manual: bool) {
        self.0.lock().manual = manual;
    }

    /// Puts what the producer has left behind what is in `queue`, and returns how
    /// the link has ended, if it has.
    pub(crate) fn fetch(&self, queue: &mut VecDeque<Input<E>>) -> Option<Ended> {
        let mut state = self.0.lock();
        state.fetched_by_consumer();
        if queue.is_empty() {
            std::mem::swap(queue, &mut state.queue);
        } else {
            queue.append(&mut state.queue);
        }
        state.ended()
    }

    /// Wants nothing more than what has arrived, which goes behind what is in
    /// `queue`. The producer learns how this end came about; what the consumer
    /// does not handle it may give back by [`cancel`](ConsumerEnd::cancel).
    pub(crate) fn leave(&self, outcome: Outcome, queue: &mut VecDeque<Input<E>>) {
        self.0.to_producer(|state| {
            state.cancelled.get_or_insert(outcome);
            queue.append(&mut state.queue);
            WakeProducer::Always
        });
    }

    /// Wants nothing more; the producer learns how this end came about, and
    /// gets back what was fetched and not handled, oldest first. Returns how
    /// many events are lost because the producer is gone.
    pub(crate) fn cancel(&self, outcome: Outcome, unhandled: Vec<Batch<E>>) -> usize {
        let mut lost = (VecDeque::new(), 0);
        self.0.to_producer(|state| {
            state.cancelled.get_or_insert(outcome);
            for batch in unhandled.into_iter().rev() {
                state.queue.push_front(Input::Events(self.0.id(), batch));
            }
            if state.ended.is_some() {
                lost = state.discard();
            }
            WakeProducer::Always
        });
        // The events are dropped here, outside the lock.
        lost.1
    }
}

impl<E> Drop for ConsumerEnd<E> {
    fn drop(&mut self) {
        let over = {
            let state = self.0.lock();
            state.cancelled.is_some() || state.ended.is_some()
        };
        if !over {
            let outcome = Outcome::Cancelled("the consumer's task was dropped".into());
            self.cancel(outcome, Vec::new());
        }
    }
}
