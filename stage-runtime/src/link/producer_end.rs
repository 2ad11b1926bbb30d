//! The producer's end of a link.

use std::collections::VecDeque;
use std::sync::Arc;

use stage_core::{Batch, Outcome, SubscribeError};

use super::state::{Ended, Link, LinkView, make_room};

/// What a producer finds on its link.
#[derive(Debug)]
pub(crate) struct Raised {
    /// In events.
    pub(crate) demand: usize,
    pub(crate) cancelled: Option<Outcome>,
}

/// The producer's end: sends batches, learns of demand. Dropped without
/// [`end`](ProducerEnd::end), it tells the consumer that the producer is gone.
#[derive(Debug)]
pub(crate) struct ProducerEnd<E> {
    link: Arc<Link<E>>,
    /// `None` once the producer has taken the subscription.
    refusal: Option<SubscribeError>,
}

/// Puts a batch together with the last that waits, if one call of the handler
/// may have both, and returns its buffer; or behind it.
#[inline(never)]
fn send_behind<E>(
    batches: &mut VecDeque<Batch<E>>,
    batch: Batch<E>,
    limit: usize,
) -> Option<Vec<E>> {
    let apart = match batches.back_mut() {
        Some(last) if last.len() + batch.len() <= limit => last.append(batch),
        _ => Err(batch),
    };
    match apart {
        Ok(buffer) => Some(buffer),
        Err(batch) => {
            batches.push_back(batch);
            None
        }
    }
}

impl<E> ProducerEnd<E> {
    pub(super) const fn new(link: Arc<Link<E>>, refusal: SubscribeError) -> Self {
        Self {
            link,
            refusal: Some(refusal),
        }
    }

    /// The producer has taken the subscription.
    pub(crate) fn accept(&mut self) {
        self.refusal = None;
    }

    /// Whether the producer has other consumers, so that it has to be told which
    /// one has news. Its only link need not say so.
    pub(crate) fn set_listed(&self, listed: bool) {
        self.link.lock().producer_lists = listed;
    }

    /// Puts a batch on the link. What a consumer that has cancelled does not
    /// fetch comes back by [`take_unhandled`](ProducerEnd::take_unhandled).
    /// Returns the buffer of a batch that was put together with one which waits.
    #[inline(always)]
    pub(crate) fn send(&self, batch: Batch<E>) -> Option<Vec<E>> {
        let limit = self.link.batch_limit();
        let mut emptied = None;
        self.link.to_consumer(|state| {
            state.totals.delivered += batch.len() as u64;
            if state.batches.is_empty() {
                make_room(&mut state.batches);
                state.batches.push_back(batch);
            } else {
                emptied = send_behind(&mut state.batches, batch, limit);
            }
        });
        emptied
    }

    /// Takes what the consumer has left, emptied buffers one by one.
    pub(crate) fn fetch(&self, mut take: impl FnMut(Vec<E>)) -> Raised {
        let mut state = self.link.lock();
        state.fetched_by_producer();
        while let Some(spare) = state.spares.pop() {
            take(spare);
        }
        Raised {
            demand: std::mem::take(&mut state.demand),
            cancelled: state.cancelled(),
        }
    }

    /// Whether everything delivered is settled; if not, the producer is told
    /// when it is.
    pub(crate) fn flush(&self) -> bool {
        let mut state = self.link.lock();
        state.flushing = !state.is_settled();
        !state.flushing
    }

    /// Takes what the consumer, which has cancelled, gives back and what it
    /// never fetched, oldest first.
    pub(crate) fn take_unhandled(&self) -> VecDeque<Batch<E>> {
        let mut state = self.link.lock();
        let (batches, count) = state.take_back();
        state.totals.handed_back += count as u64;
        batches
    }

    /// Nothing more will come; what was sent before is still delivered.
    /// Returns how many events are lost because the consumer has cancelled.
    pub(crate) fn end(self, ended: Ended) -> usize {
        self.set_ended(ended)
    }

    fn set_ended(&self, ended: Ended) -> usize {
        let mut lost = (VecDeque::new(), 0);
        self.link.to_consumer(|state| {
            state.ended.get_or_insert(ended);
            if state.cancelled.is_some() {
                lost = state.discard();
            }
        });
        // The events are dropped here, outside the lock.
        lost.1
    }
}

impl<E: Send + 'static> ProducerEnd<E> {
    /// The link, to look at.
    pub(crate) fn view(&self) -> Arc<dyn LinkView> {
        Arc::clone(&self.link) as Arc<dyn LinkView>
    }
}

impl<E> Drop for ProducerEnd<E> {
    fn drop(&mut self) {
        let ended = self.link.lock().ended.is_some();
        if !ended {
            let ended = match self.refusal.take() {
                Some(refusal) => Ended::Refused(refusal),
                None => {
                    Ended::Outcome(Outcome::Cancelled("the producer's task was dropped".into()))
                }
            };
            self.set_ended(ended);
        }
    }
}
