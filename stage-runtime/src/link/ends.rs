//! The two ends of a link.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stage_core::{Batch, DemandLimits, Outcome, SubscribeError, SubscriptionId};

use super::Station;

/// Emptied buffers that a link carries back at the most.
const SPARES: usize = 2;

/// Why nothing more comes down a link.
#[derive(Debug, Clone)]
pub(crate) enum Ended {
    /// The producer ended, or cancelled the subscription.
    Outcome(Outcome),
    /// The producer never took the subscription.
    Refused(SubscribeError),
}

/// What a consumer finds on its link.
#[derive(Debug)]
pub(crate) struct Arrived<E> {
    pub(crate) batches: VecDeque<Batch<E>>,
    pub(crate) ended: Option<Ended>,
}

/// What a producer finds on its link.
#[derive(Debug)]
pub(crate) struct Raised<E> {
    /// In events.
    pub(crate) demand: usize,
    pub(crate) cancelled: Option<Outcome>,
    pub(crate) spares: Vec<Vec<E>>,
}

#[derive(Debug)]
struct Link<E> {
    id: SubscriptionId,
    /// The most events that one call of the consumer's handler takes; batches
    /// below it are put together while they wait.
    batch_limit: usize,
    producer: Arc<Station>,
    consumer: Arc<Station>,
    state: Mutex<State<E>>,
}

#[derive(Debug)]
struct State<E> {
    batches: VecDeque<Batch<E>>,
    ended: Option<Ended>,
    /// The consumer's list has this link.
    consumer_told: bool,
    demand: usize,
    cancelled: Option<Outcome>,
    spares: Vec<Vec<E>>,
    /// The producer's list has this link.
    producer_told: bool,
}

/// Makes a link between the tasks behind two stations. `refusal` is what the
/// consumer is told if the producer goes away before it takes the subscription.
pub(crate) fn connect<E>(
    id: SubscriptionId,
    demand: DemandLimits,
    producer: Arc<Station>,
    consumer: Arc<Station>,
    refusal: SubscribeError,
) -> (ProducerEnd<E>, ConsumerEnd<E>) {
    let link = Arc::new(Link {
        id,
        batch_limit: demand.batch_limit(),
        producer,
        consumer,
        state: Mutex::new(State {
            batches: VecDeque::new(),
            ended: None,
            consumer_told: false,
            demand: 0,
            cancelled: None,
            spares: Vec::new(),
            producer_told: false,
        }),
    });
    let producer_end = ProducerEnd {
        link: Arc::clone(&link),
        refusal: Some(refusal),
    };
    (producer_end, ConsumerEnd(link))
}

impl<E> Link<E> {
    fn lock(&self) -> MutexGuard<'_, State<E>> {
        // An event whose `Drop` panics may poison the lock; the state was
        // consistent before any event was dropped.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state for the consumer to see, and tells it.
    fn to_consumer(&self, change: impl FnOnce(&mut State<E>)) {
        let tell = {
            let mut state = self.lock();
            change(&mut state);
            !std::mem::replace(&mut state.consumer_told, true)
        };
        if tell {
            self.consumer.from_producers.push(self.id);
            self.consumer.bell.ring();
        }
    }

    /// Changes the state for the producer to see, and tells it.
    fn to_producer(&self, change: impl FnOnce(&mut State<E>)) {
        let tell = {
            let mut state = self.lock();
            change(&mut state);
            !std::mem::replace(&mut state.producer_told, true)
        };
        if tell {
            self.producer.from_consumers.push(self.id);
            self.producer.bell.ring();
        }
    }
}

/// The producer's end: sends batches, learns of demand. Dropped without
/// [`end`](ProducerEnd::end), it tells the consumer that the producer is gone.
#[derive(Debug)]
pub(crate) struct ProducerEnd<E> {
    link: Arc<Link<E>>,
    /// `None` once the producer has taken the subscription.
    refusal: Option<SubscribeError>,
}

impl<E> ProducerEnd<E> {
    /// The producer has taken the subscription.
    pub(crate) fn accept(&mut self) {
        self.refusal = None;
    }

    /// Puts a batch on the link. What a consumer that has cancelled does not
    /// fetch comes back by [`take_unhandled`](ProducerEnd::take_unhandled).
    pub(crate) fn send(&self, batch: Batch<E>) {
        let limit = self.link.batch_limit;
        self.link.to_consumer(|state| {
            let batch = match state.batches.back_mut() {
                Some(last) if last.len() + batch.len() <= limit => last.append(batch).err(),
                _ => Some(batch),
            };
            state.batches.extend(batch);
        });
    }

    /// Takes what the consumer has left.
    pub(crate) fn fetch(&self) -> Raised<E> {
        let mut state = self.link.lock();
        state.producer_told = false;
        Raised {
            demand: std::mem::take(&mut state.demand),
            cancelled: state.cancelled.clone(),
            spares: std::mem::take(&mut state.spares),
        }
    }

    /// Nothing more will come; what was sent before is still delivered.
    /// Returns how many events are lost because the consumer has cancelled.
    pub(crate) fn end(self, ended: Ended) -> usize {
        self.set_ended(ended)
    }

    /// Takes what the consumer, which has cancelled, gives back and what it
    /// never fetched, oldest first.
    pub(crate) fn take_unhandled(&self) -> VecDeque<Batch<E>> {
        std::mem::take(&mut self.link.lock().batches)
    }

    fn set_ended(&self, ended: Ended) -> usize {
        let mut lost = 0;
        self.link.to_consumer(|state| {
            state.ended.get_or_insert(ended);
            if state.cancelled.is_some() {
                lost = count(&std::mem::take(&mut state.batches));
            }
        });
        lost
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

/// The consumer's end: asks, receives batches. Dropped without
/// [`cancel`](ConsumerEnd::cancel), it tells the producer that the consumer is
/// gone.
#[derive(Debug)]
pub(crate) struct ConsumerEnd<E>(Arc<Link<E>>);

impl<E> ConsumerEnd<E> {
    /// Asks for `demand` more events.
    pub(crate) fn ask(&self, demand: usize) {
        if demand > 0 {
            self.0
                .to_producer(|state| state.demand = state.demand.saturating_add(demand));
        }
    }

    /// Gives an emptied buffer back to be filled again. Wakes nobody.
    pub(crate) fn recycle(&self, buffer: Vec<E>) {
        if buffer.capacity() > 0 {
            let mut state = self.0.lock();
            if state.spares.len() < SPARES {
                state.spares.push(buffer);
            }
        }
    }

    /// Takes what the producer has left.
    pub(crate) fn fetch(&self) -> Arrived<E> {
        let mut state = self.0.lock();
        state.consumer_told = false;
        Arrived {
            batches: std::mem::take(&mut state.batches),
            ended: state.ended.clone(),
        }
    }

    /// Wants nothing more; the producer learns how this end came about, and
    /// gets back what was fetched and not handled, oldest first. Returns how
    /// many events are lost because the producer is gone.
    pub(crate) fn cancel(&self, outcome: Outcome, unhandled: Vec<Batch<E>>) -> usize {
        let mut lost = 0;
        self.0.to_producer(|state| {
            state.cancelled.get_or_insert(outcome);
            for batch in unhandled.into_iter().rev() {
                state.batches.push_front(batch);
            }
            if state.ended.is_some() {
                lost = count(&std::mem::take(&mut state.batches));
            }
        });
        lost
    }
}

fn count<E>(batches: &VecDeque<Batch<E>>) -> usize {
    batches.iter().map(Batch::len).sum()
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
