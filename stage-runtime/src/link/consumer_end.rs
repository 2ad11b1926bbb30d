//! The consumer's end of a link.

use std::collections::VecDeque;
use std::sync::Arc;

use stage_core::{Batch, Outcome};

use super::state::{Ended, Input, Link, WakeProducer, set_once};

/// How a consumer has settled events of a failed batch; the fields are those of
/// [`LinkTotals`](crate::snapshot::LinkTotals).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settlement {
    pub(crate) handled: usize,
    pub(crate) dead_lettered: usize,
    pub(crate) lost: usize,
}

/// The consumer's end of a link: asks, fetches batches and settles events.
///
/// Dropped without [`cancel`](ConsumerEnd::cancel), it cancels the subscription because
/// the consumer's task was dropped.
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

    /// Settles `count` events as handled, returns the emptied buffer to the producer to
    /// be filled again, and asks for `demand` more events. Notifies the producer only
    /// if there is something for it to do.
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

    /// Settles events whose handler failed.
    pub(crate) fn account(&self, settled: Settlement) {
        self.0.to_producer(|state| {
            let totals = &mut state.totals;
            totals.handled += settled.handled as u64;
            totals.dead_lettered += settled.dead_lettered as u64;
            totals.lost += settled.lost as u64;
            state.wake_if_settled()
        });
    }

    /// Sets whether this is the consumer's only link to a producer, so that it notifies
    /// the consumer by a flag and not through a list.
    pub(crate) fn set_only(&self, only: bool) {
        self.0.lock().only_producer = only;
    }

    /// Sets whether the stage asks by hand, for snapshots.
    pub(crate) fn set_manual(&self, manual: bool) {
        self.0.lock().manual = manual;
    }

    /// Moves the batches on the link to the end of `queue`, and returns how the producer
    /// has ended the link, if it has.
    ///
    /// A consumer that has been evicted leaves by this: the batches that it has fetched
    /// are still handled, or handed back by [`cancel`](ConsumerEnd::cancel).
    pub(crate) fn fetch(&self, queue: &mut VecDeque<Input<E>>) -> Option<Ended> {
        let (ended, evicted) = self.fetch_from(queue);
        if evicted {
            self.acknowledge_eviction();
        }
        ended
    }

    /// Fetches, and returns whether the consumer has been evicted.
    #[inline(always)]
    fn fetch_from(&self, queue: &mut VecDeque<Input<E>>) -> (Option<Ended>, bool) {
        let mut state = self.0.lock();
        state.fetched_by_consumer();
        if queue.is_empty() {
            // Swapped, so that both queues keep their allocations.
            std::mem::swap(queue, &mut state.queue);
        } else {
            queue.append(&mut state.queue);
        }
        (state.ended(), state.evicted)
    }

    /// Leaves for the reason for which the producer has evicted the consumer. From now on
    /// the queue of the link carries events back.
    #[cold]
    fn acknowledge_eviction(&self) {
        self.0.to_producer(|state| {
            // The producer may have ended meanwhile.
            if let (true, Some(Ended::Outcome(outcome))) = (state.evicted, &state.ended) {
                let mut outcome = Some(outcome.clone());
                set_once(&mut state.cancelled, &mut outcome);
            }
            state.wake_if_settled()
        });
    }

    /// Cancels the subscription with `outcome`, and moves the batches on the link to the
    /// end of `queue`, still to be handled. Batches that are not can be handed back by
    /// [`cancel`](ConsumerEnd::cancel).
    pub(crate) fn leave(&self, outcome: Outcome, queue: &mut VecDeque<Input<E>>) {
        let mut outcome = Some(outcome);
        self.0.to_producer(|state| {
            set_once(&mut state.cancelled, &mut outcome);
            queue.append(&mut state.queue);
            WakeProducer::Always
        });
    }

    /// Cancels the subscription with `outcome`, and hands `unhandled`, the batches that
    /// were fetched and not handled, back to the producer; they are in order, oldest
    /// first. Returns how many events are lost because the producer has ended.
    pub(crate) fn cancel(&self, outcome: Outcome, unhandled: Vec<Batch<E>>) -> usize {
        let mut lost = (VecDeque::new(), 0);
        let mut outcome = Some(outcome);
        self.0.to_producer(|state| {
            set_once(&mut state.cancelled, &mut outcome);
            for batch in unhandled.into_iter().rev() {
                state.queue.push_front(Input::Events(self.0.id(), batch));
            }
            if state.is_abandoned() {
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
            state.cancelled.is_some() || state.is_abandoned()
        };
        if !over {
            let outcome = Outcome::Cancelled("the consumer's task was dropped".into());
            self.cancel(outcome, Vec::new());
        }
    }
}
