//! The producer's end of a link.

use std::collections::VecDeque;
use std::sync::Arc;

use stage_core::{Batch, Outcome};

use super::state::{Ended, Input, Ledger, Link, LinkView, copy, make_room, set_once};
use crate::reply::{self, producer_dropped};

/// The result of fetching from the consumer.
#[derive(Debug)]
pub(crate) enum ConsumerSignal {
    /// The consumer has asked for this many more events, perhaps none.
    Demand(usize),
    /// The consumer has cancelled, and has not settled all that it was delivered.
    Leaving,
    /// The consumer has cancelled, and has settled or handed back everything.
    Left(Outcome),
}

/// The producer's end of a link: sends batches and fetches demand.
///
/// Dropped without [`end`](ProducerEnd::end), it ends the link as cancelled because the
/// producer's task was dropped.
#[derive(Debug)]
pub(crate) struct ProducerEnd<E> {
    link: Arc<Link<E>>,
    /// The producer has taken the subscription, so that its end is not a refusal.
    accepted: bool,
}

/// The most bytes that two batches may have together to be merged. Merging moves them
/// while the link is locked, and this bounds how long.
const SMALL: usize = 16 * 1024;

/// Whether two batches may be merged while the link is locked.
fn are_small<E>(one: &Batch<E>, other: &Batch<E>) -> bool {
    (one.len() + other.len()).saturating_mul(size_of::<E>()) <= SMALL
}

/// Merges `batch` into the batch that is queued last, and returns its emptied buffer.
/// Returns `None` and leaves both as they are if one of them is shared.
#[inline(never)]
fn merge<E>(last: &mut Batch<E>, batch: &mut Batch<E>) -> Option<Vec<E>> {
    match last.append(std::mem::take(batch)) {
        Ok(buffer) => Some(buffer),
        Err(apart) => {
            *batch = apart;
            None
        }
    }
}

impl<E> ProducerEnd<E> {
    pub(super) const fn new(link: Arc<Link<E>>) -> Self {
        Self {
            link,
            accepted: false,
        }
    }

    /// Notes that the producer has taken the subscription.
    pub(crate) fn accept(&mut self) {
        self.accepted = true;
    }

    /// Sets whether this is the producer's only link to a consumer, so that it notifies
    /// the producer by a flag and not through a list.
    pub(crate) fn set_only(&self, only: bool) {
        self.link.lock().only_consumer = only;
    }

    /// Moves the events of `batch` onto the link and notifies the consumer.
    ///
    /// Returns the emptied buffer if `batch` was merged into the queued batch: together
    /// they fit one handler call. A consumer that has cancelled does not fetch any
    /// more; [`take_unhandled`](ProducerEnd::take_unhandled) returns the events then.
    #[inline(always)]
    pub(crate) fn send(&self, batch: &mut Batch<E>) -> Option<Vec<E>> {
        let limit = self.link.batch_limit();
        let mut emptied = None;
        self.link.to_consumer(|state| {
            state.totals.delivered += batch.len() as u64;
            match state.queue.back_mut() {
                Some(Input::Events(_, last))
                    if last.len() + batch.len() <= limit && are_small(last, batch) =>
                {
                    emptied = merge(last, batch);
                    if emptied.is_some() {
                        return;
                    }
                }
                Some(_) => (),
                None => make_room(&mut state.queue),
            }
            let events = std::mem::take(batch);
            state.queue.push_back(Input::Events(self.link.id(), events));
        });
        emptied
    }

    /// Fetches the demand or the cancellation of the consumer. Calls `take` with each
    /// emptied buffer that it has returned, under the lock of the link.
    #[inline(always)]
    pub(crate) fn fetch(&self, mut take: impl FnMut(Vec<E>)) -> ConsumerSignal {
        let mut state = self.link.lock();
        state.fetched_by_producer();
        while let Some(spare) = state.spares.pop() {
            take(spare);
        }
        match &state.cancelled {
            None => ConsumerSignal::Demand(std::mem::take(&mut state.demand)),
            Some(_) if !state.is_returned() => ConsumerSignal::Leaving,
            Some(outcome) => ConsumerSignal::Left(copy(outcome)),
        }
    }

    /// Whether everything delivered is settled. If not, the producer is notified when it
    /// is.
    pub(crate) fn flush(&self) -> bool {
        let mut state = self.link.lock();
        state.flushing = !state.is_settled();
        !state.flushing
    }

    /// Takes the events that a consumer which has left hands back or never fetched,
    /// oldest first. They count as handed back.
    pub(crate) fn take_unhandled(&self) -> Vec<Batch<E>> {
        let events = {
            let mut state = self.link.lock();
            let (events, count) = state.take_queue();
            state.totals.handed_back += count as u64;
            events
        };
        let events = events.into_iter().filter_map(Input::into_events);
        events.map(|(_, batch)| batch).collect()
    }

    /// Whether `count` of the events delivered are settled. If not, the producer is
    /// notified when all are. `drains` says that the producer waits for that anyway.
    pub(crate) fn has_settled(&self, count: u64, drains: bool) -> bool {
        let mut state = self.link.lock();
        let settled = state.totals.settled() >= count;
        if !settled {
            state.flushing = true;
        } else if !drains {
            state.flushing = false;
        }
        settled
    }

    /// Returns the number of events that were delivered.
    pub(crate) fn delivered(&self) -> u64 {
        self.link.lock().totals.delivered
    }

    /// Returns how many events the consumer has asked for, and how many of these were not
    /// delivered yet.
    pub(crate) fn asked(&self) -> (u64, u64) {
        let Ledger {
            asked, delivered, ..
        } = self.link.lock().totals;
        (asked, asked.saturating_sub(delivered))
    }

    /// Counts `count` events that the dispatcher has dropped for the consumer.
    pub(crate) fn note_shed(&self, count: usize) {
        self.link.lock().totals.shed += count as u64;
    }

    /// Ends the subscription with `outcome`, and keeps this end until the consumer has
    /// left. Events that were sent before are still delivered, and can be handed back.
    /// Nothing may be sent afterwards.
    pub(crate) fn evict(&self, outcome: Outcome) {
        let mut ended = Some(Ended::Outcome(outcome));
        self.link.to_consumer(|state| {
            state.evicted = state.ended.is_none();
            set_once(&mut state.ended, &mut ended);
        });
    }

    /// Ends the link. Events that were sent before are still delivered. Returns how
    /// many are lost because the consumer has cancelled.
    pub(crate) fn end(self, ended: Ended) -> usize {
        self.end_with(ended)
    }

    /// Ends the link; the first call counts.
    fn end_with(&self, ended: Ended) -> usize {
        let mut lost = (VecDeque::new(), 0);
        let mut ended = Some(ended);
        self.link.to_consumer(|state| {
            set_once(&mut state.ended, &mut ended);
            state.evicted = false;
            if state.cancelled.is_some() {
                lost = state.discard();
            }
        });
        // The events are dropped here, outside the lock.
        lost.1
    }
}

impl<E: Send + 'static> ProducerEnd<E> {
    /// Returns the link for snapshots.
    pub(crate) fn view(&self) -> Arc<dyn LinkView> {
        Arc::clone(&self.link) as Arc<dyn LinkView>
    }
}

impl<E> Drop for ProducerEnd<E> {
    fn drop(&mut self) {
        let ended = self.link.lock().is_abandoned();
        if !ended {
            let outcome = producer_dropped();
            self.end_with(if self.accepted {
                Ended::Outcome(outcome)
            } else {
                let refusal = reply::ended(&self.link.producer().name, &outcome);
                Ended::Refused(Box::new(refusal))
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use stage_core::{Batch, DemandLimits, SubscriptionId};

    use super::super::{Input, Notifier, connect};
    use crate::snapshot::Endpoint;
    use crate::stage_id::StageId;

    /// Returns the sizes of the batches in which five sends of one event arrive, all
    /// sent before they are fetched.
    fn arrivals<E: Clone>(event: &E, max_demand: usize) -> Vec<usize> {
        let notifier = |id| {
            Notifier::new(Endpoint {
                id,
                name: "stage".into(),
                is_stream: false,
            })
        };
        let demand = DemandLimits::new(max_demand, 0).unwrap();
        let (producer, consumer) = connect(
            SubscriptionId::new(1),
            demand,
            notifier(StageId::new(1)),
            notifier(StageId::new(2)),
        );
        for _ in 0..5 {
            producer.send(&mut Batch::from(vec![event.clone()]));
        }
        let mut queue = VecDeque::new();
        consumer.fetch(&mut queue);
        queue.iter().map(Input::len).collect()
    }

    #[test]
    fn waiting_batches_are_merged_up_to_the_batch_limit() {
        assert_eq!(arrivals(&0_u64, 100), [5]);
        assert_eq!(arrivals(&0_u64, 3), [3, 2]);
    }

    /// The bound is on bytes, because merging moves them while the link is locked.
    #[test]
    fn large_events_are_merged_up_to_a_number_of_bytes() {
        assert_eq!(arrivals(&[0_u64; 512], 100), [4, 1]);
    }
}
