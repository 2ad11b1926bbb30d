//! What the two ends of a link share.

use std::collections::VecDeque;
use std::sync::Arc;

use stage_core::{Batch, DemandLimits, Info, Outcome, SubscribeError, SubscriptionId};

use super::Notifier;
use super::sync::{Mutex, MutexGuard};
use super::wake_flags::CachedWaker;
use crate::snapshot::{Endpoint, LinkSnapshot, LinkTotals};

/// Why nothing more comes down a link.
#[derive(Debug, Clone)]
pub(crate) enum Ended {
    /// The producer ended, or cancelled the subscription.
    Outcome(Outcome),
    /// The producer never took the subscription.
    Refused(Box<SubscribeError>),
}

/// What a consumer deals with, in order. Only events come over a link; the rest
/// is put behind them at its end.
#[derive(Debug)]
pub(crate) enum Input<E> {
    Events(SubscriptionId, Batch<E>),
    Ended(SubscriptionId, Ended),
    Info(Info),
}

impl<E> Input<E> {
    pub(crate) fn into_events(self) -> Option<(SubscriptionId, Batch<E>)> {
        match self {
            Self::Events(id, batch) => Some((id, batch)),
            Self::Ended(..) | Self::Info(_) => None,
        }
    }

    /// In events.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Events(_, batch) => batch.len(),
            Self::Ended(..) | Self::Info(_) => 0,
        }
    }
}

#[derive(Debug)]
pub(super) struct Link<E> {
    id: SubscriptionId,
    demand: DemandLimits,
    producer: Arc<Notifier>,
    consumer: Arc<Notifier>,
    /// The wakers of both tasks, cached.
    producer_waker: CachedWaker,
    consumer_waker: CachedWaker,
    state: Mutex<State<E>>,
}

#[derive(Debug)]
pub(super) struct State<E> {
    /// Events on their way down; once the consumer has cancelled, on their way
    /// back.
    pub(super) queue: VecDeque<Input<E>>,
    pub(super) ended: Option<Ended>,
    /// The consumer was notified and has not fetched since.
    consumer_notified: bool,
    /// The link is the only one to a producer that the consumer has.
    pub(super) only_producer: bool,
    pub(super) demand: usize,
    pub(super) cancelled: Option<Outcome>,
    pub(super) spares: Vec<Vec<E>>,
    /// The producer was notified and has not fetched since.
    producer_notified: bool,
    /// The link is the only one to a consumer that the producer has.
    pub(super) only_consumer: bool,
    /// The producer waits until everything it delivered is settled.
    pub(super) flushing: bool,
    pub(super) manual: bool,
    /// All but what is in flight, which follows from the others.
    pub(super) totals: LinkTotals,
}

/// Whether the producer is woken for what its consumer has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WakeProducer {
    /// The producer need not know.
    No,
    /// The consumer has asked: wake the producer unless it awaits another consumer.
    OnDemand,
    /// Wake the producer whatever it awaits.
    Always,
}

/// Emptied buffers that a link carries back at the most.
const SPARES: usize = 2;

impl<E> Link<E> {
    pub(super) fn new(
        id: SubscriptionId,
        demand: DemandLimits,
        producer: Arc<Notifier>,
        consumer: Arc<Notifier>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            demand,
            producer,
            consumer,
            producer_waker: CachedWaker::default(),
            consumer_waker: CachedWaker::default(),
            state: Mutex::new(State {
                queue: VecDeque::new(),
                ended: None,
                consumer_notified: false,
                only_producer: false,
                demand: 0,
                cancelled: None,
                spares: Vec::new(),
                producer_notified: false,
                only_consumer: false,
                flushing: false,
                manual: false,
                totals: LinkTotals::default(),
            }),
        })
    }

    pub(super) const fn id(&self) -> SubscriptionId {
        self.id
    }

    /// Who sends over it.
    pub(super) fn producer(&self) -> &Endpoint {
        self.producer.endpoint()
    }

    /// The most events that one call of the consumer's handler takes; batches
    /// below it are put together while they wait.
    pub(super) const fn batch_limit(&self) -> usize {
        self.demand.batch_limit()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock()
    }

    /// Changes the state and notifies the consumer.
    #[inline(always)]
    pub(super) fn to_consumer(&self, change: impl FnOnce(&mut State<E>)) {
        let only = {
            let mut state = self.lock();
            change(&mut state);
            let notified = std::mem::replace(&mut state.consumer_notified, true);
            (!notified).then_some(state.only_producer)
        };
        if let Some(only) = only {
            self.consumer
                .notify_from_producer(self.id, only, &self.consumer_waker);
        }
    }

    /// Changes the state, and notifies the producer as `change` returns.
    #[inline(always)]
    pub(super) fn to_producer(&self, change: impl FnOnce(&mut State<E>) -> WakeProducer) {
        let (wake, notified, only) = {
            let mut state = self.lock();
            let wake = change(&mut state);
            if wake == WakeProducer::No {
                return;
            }
            let notified = std::mem::replace(&mut state.producer_notified, true);
            (wake, notified, state.only_consumer)
        };
        if wake == WakeProducer::Always {
            self.producer.notify_at_once(self.id, only, notified);
        } else if !notified {
            self.producer
                .notify_from_consumer(self.id, only, &self.producer_waker);
        }
    }
}

impl<E> State<E> {
    pub(super) fn fetched_by_consumer(&mut self) {
        self.consumer_notified = false;
    }

    pub(super) fn fetched_by_producer(&mut self) {
        self.producer_notified = false;
    }

    /// Why nothing more comes, if that is so.
    #[inline]
    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended.as_ref().map(copy)
    }

    /// Keeps an emptied buffer for the producer, if there is room for it.
    #[inline]
    pub(super) fn keep_spare(&mut self, emptied: &mut Option<Vec<E>>) {
        if self.spares.len() < SPARES
            && let Some(emptied) = emptied.take_if(|emptied| emptied.capacity() > 0)
        {
            if self.spares.capacity() == 0 {
                self.spares.reserve_exact(SPARES);
            }
            self.spares.push(emptied);
        }
    }

    /// The consumer wants `demand` more events.
    #[inline]
    pub(super) const fn ask(&mut self, demand: usize) {
        self.demand = self.demand.saturating_add(demand);
        self.totals.asked = self.totals.asked.saturating_add(demand as u64);
    }

    /// Whether the producer is woken because events were settled: it may wait for
    /// the last of them, or for the last that a cancelled consumer has.
    #[inline]
    pub(super) fn wake_if_settled(&self) -> WakeProducer {
        if self.flushing && self.is_settled() || self.cancelled.is_some() && self.is_left() {
            WakeProducer::Always
        } else {
            WakeProducer::No
        }
    }

    /// Whether the consumer has nothing any more of what was delivered: what is
    /// not settled is on the link.
    pub(super) fn is_left(&self) -> bool {
        let queued: usize = self.queue.iter().map(Input::len).sum();
        self.totals.settled() + queued as u64 == self.totals.delivered
    }

    /// Whether nothing that was delivered is in flight.
    pub(super) const fn is_settled(&self) -> bool {
        self.totals.settled() == self.totals.delivered
    }

    /// Takes the events on the link, which are on their way back.
    pub(super) fn take_queue(&mut self) -> (VecDeque<Input<E>>, usize) {
        let events = std::mem::take(&mut self.queue);
        let count = events.iter().map(Input::len).sum();
        (events, count)
    }

    /// Both ends have let go: what comes back has nowhere to go.
    pub(super) fn discard(&mut self) -> (VecDeque<Input<E>>, usize) {
        let (events, count) = self.take_queue();
        self.totals.discarded += count as u64;
        (events, count)
    }
}

/// A clone that is made once in the life of a link, and so out of line.
#[cold]
pub(super) fn copy<T: Clone>(once: &T) -> T {
    once.clone()
}

/// Room for one, where there is none yet: many links never carry two batches at
/// a time, and a queue would start with four places.
#[inline]
pub(crate) fn make_room<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() == 0 {
        queue.reserve_exact(1);
    }
}

/// A link of whatever events, to look at.
pub(crate) trait LinkView: Send + Sync {
    fn snapshot(&self) -> LinkSnapshot;
    /// Whether nothing will go over it any more.
    fn is_over(&self) -> bool;
}

impl<E: Send> LinkView for Link<E> {
    fn snapshot(&self) -> LinkSnapshot {
        let state = self.lock();
        let mut totals = state.totals;
        totals.in_flight = totals.delivered.saturating_sub(totals.settled());
        LinkSnapshot {
            id: self.id,
            producer: self.producer.endpoint().clone(),
            consumer: self.consumer.endpoint().clone(),
            max_demand: self.demand.max() as u64,
            manual: state.manual,
            ended: state.ended.is_some() || state.cancelled.is_some(),
            totals,
        }
    }

    fn is_over(&self) -> bool {
        let state = self.lock();
        (state.ended.is_some() || state.cancelled.is_some()) && state.is_settled()
    }
}
