//! The state that the two ends of a link share, with its ledger.

use std::collections::VecDeque;
use std::sync::Arc;

use stage_core::{Batch, DemandLimits, Info, Outcome, SubscribeError, SubscriptionId};

use super::Notifier;
use super::sync::{Mutex, MutexGuard};
use super::wake_flags::CachedWaker;
use crate::snapshot::{Endpoint, LinkSnapshot, LinkTotals};

/// How the producer's end of a link has ended.
#[derive(Debug, Clone)]
pub(crate) enum Ended {
    /// The producer ended, or cancelled the subscription.
    Outcome(Outcome),
    /// The producer never took the subscription.
    Refused(Box<SubscribeError>),
}

/// An input of a consumer. Only events come over a link; the consumer queues the other
/// two behind them.
#[derive(Debug)]
pub(crate) enum Input<E> {
    /// A batch that came over a subscription.
    Events(SubscriptionId, Batch<E>),
    /// A subscription has ended.
    Ended(SubscriptionId, Ended),
    /// An info for the consumer.
    Info(Info),
}

impl<E> Input<E> {
    /// Returns the batch, if the input is one.
    pub(crate) fn into_events(self) -> Option<(SubscriptionId, Batch<E>)> {
        match self {
            Self::Events(id, batch) => Some((id, batch)),
            Self::Ended(..) | Self::Info(_) => None,
        }
    }

    /// Returns the number of events.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Events(_, batch) => batch.len(),
            Self::Ended(..) | Self::Info(_) => 0,
        }
    }
}

/// A link between a consumer and a producer; shared by its two ends.
#[derive(Debug)]
pub(super) struct Link<E> {
    id: SubscriptionId,
    demand: DemandLimits,
    /// Notifies the producer's task.
    producer: Arc<Notifier>,
    /// Notifies the consumer's task.
    consumer: Arc<Notifier>,
    /// The waker of the producer's task, cached by the consumer.
    producer_waker: CachedWaker,
    /// The waker of the consumer's task, cached by the producer.
    consumer_waker: CachedWaker,
    state: Mutex<State<E>>,
}

/// The state of a link, under its lock.
#[derive(Debug)]
pub(super) struct State<E> {
    /// Batches on their way down; once the consumer has cancelled, on their way back.
    pub(super) queue: VecDeque<Input<E>>,
    /// Set when the producer has let go of the link, or has evicted the consumer.
    pub(super) ended: Option<Ended>,
    /// The producer has evicted the consumer. It keeps its end, and takes back what the
    /// consumer hands back, until the consumer has left.
    pub(super) evicted: bool,
    /// The consumer was notified and has not fetched since.
    consumer_notified: bool,
    /// This link is the only one that the consumer has to a producer.
    pub(super) only_producer: bool,
    /// Demand that the producer has not fetched, in events.
    pub(super) demand: usize,
    /// Set when the consumer has let go of the link.
    pub(super) cancelled: Option<Outcome>,
    /// Emptied buffers on their way back to the producer, at most [`SPARES`].
    pub(super) spares: Vec<Vec<E>>,
    /// The producer was notified and has not fetched since.
    producer_notified: bool,
    /// This link is the only one that the producer has to a consumer.
    pub(super) only_consumer: bool,
    /// The producer waits until everything it delivered is settled.
    pub(super) flushing: bool,
    /// The consumer asks by hand.
    pub(super) manual: bool,
    /// The ledger.
    pub(super) totals: Ledger,
}

/// The ledger of a link: [`LinkTotals`] without what can be computed from the rest.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ledger {
    pub(super) asked: u64,
    pub(super) delivered: u64,
    pub(super) handled: u64,
    pub(super) handed_back: u64,
    pub(super) dead_lettered: u64,
    pub(super) lost: u64,
    pub(super) discarded: u64,
    pub(super) shed: u64,
}

impl Ledger {
    /// Returns how many delivered events are no longer in flight.
    pub(super) const fn settled(&self) -> u64 {
        self.handled + self.handed_back + self.dead_lettered + self.lost + self.discarded
    }

    const fn totals(&self) -> LinkTotals {
        LinkTotals {
            asked: self.asked,
            delivered: self.delivered,
            handled: self.handled,
            handed_back: self.handed_back,
            dead_lettered: self.dead_lettered,
            lost: self.lost,
            discarded: self.discarded,
            in_flight: self.delivered.saturating_sub(self.settled()),
            shed: self.shed,
        }
    }
}

/// Whether an action of the consumer wakes the producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WakeProducer {
    /// The producer need not know.
    No,
    /// The consumer has asked: wake the producer unless it awaits another consumer.
    OnDemand,
    /// Wake the producer, whatever it awaits.
    Always,
}

/// The most emptied buffers that a link carries back.
const SPARES: usize = 2;

impl<E> Link<E> {
    /// Makes a link over which nothing has gone yet.
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
                evicted: false,
                consumer_notified: false,
                only_producer: false,
                demand: 0,
                cancelled: None,
                spares: Vec::new(),
                producer_notified: false,
                only_consumer: false,
                flushing: false,
                manual: false,
                totals: Ledger::default(),
            }),
        })
    }

    pub(super) const fn id(&self) -> SubscriptionId {
        self.id
    }

    /// Returns the stage that sends over the link.
    pub(super) fn producer(&self) -> &Endpoint {
        self.producer.endpoint()
    }

    /// Returns the most events that one call of the consumer's handler gets. Waiting
    /// batches are merged up to this limit.
    pub(super) const fn batch_limit(&self) -> usize {
        self.demand.batch_limit()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock()
    }

    /// Changes the state and notifies the consumer, unless it was notified before and
    /// has not fetched since. The lock is released before the notification.
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

    /// Changes the state and notifies the producer as `change` says. The lock is
    /// released before the notification.
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
    /// Notes that the consumer fetches now: the next change notifies it again.
    pub(super) fn fetched_by_consumer(&mut self) {
        self.consumer_notified = false;
    }

    /// Notes that the producer fetches now: the next change notifies it again.
    pub(super) fn fetched_by_producer(&mut self) {
        self.producer_notified = false;
    }

    /// Returns how the producer's end has ended, if it has.
    #[inline]
    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended.as_ref().map(copy)
    }

    /// Whether the producer's end is gone, so that events can no longer be handed back.
    /// It is not while the producer waits for a consumer that it has evicted.
    pub(super) const fn is_abandoned(&self) -> bool {
        self.ended.is_some() && !self.evicted
    }

    /// Takes an emptied buffer for the producer if there is room for it. The caller
    /// drops any other, outside the lock.
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

    /// Adds to the demand of the consumer.
    #[inline]
    pub(super) const fn ask(&mut self, demand: usize) {
        self.demand = self.demand.saturating_add(demand);
        self.totals.asked = self.totals.asked.saturating_add(demand as u64);
    }

    /// Returns whether settling events wakes the producer: it flushes and these were
    /// the last events, or the consumer has cancelled and has none left.
    #[inline]
    pub(super) fn wake_if_settled(&self) -> WakeProducer {
        if self.flushing && self.is_settled() || self.cancelled.is_some() && self.is_returned() {
            WakeProducer::Always
        } else {
            WakeProducer::No
        }
    }

    /// Whether the consumer has no event left: those that are not settled are in the
    /// queue of the link.
    pub(super) fn is_returned(&self) -> bool {
        let queued: usize = self.queue.iter().map(Input::len).sum();
        self.totals.settled() + queued as u64 == self.totals.delivered
    }

    /// Whether no delivered event is in flight.
    pub(super) const fn is_settled(&self) -> bool {
        self.totals.settled() == self.totals.delivered
    }

    /// Takes the events that are on their way back, and returns them with their
    /// number.
    pub(super) fn take_queue(&mut self) -> (VecDeque<Input<E>>, usize) {
        let events = std::mem::take(&mut self.queue);
        let count = events.iter().map(Input::len).sum();
        (events, count)
    }

    /// Counts the events that are on their way back as discarded, because both ends
    /// have let go of the link. Returns them for the caller to drop outside the lock.
    pub(super) fn discard(&mut self) -> (VecDeque<Input<E>>, usize) {
        let (events, count) = self.take_queue();
        self.totals.discarded += count as u64;
        (events, count)
    }
}

/// Moves `value` into `slot` if that is empty. Otherwise the caller drops it, outside
/// of the lock: it may hold an error of the user, whose drop runs any code.
pub(super) fn set_once<T>(slot: &mut Option<T>, value: &mut Option<T>) {
    if slot.is_none() {
        *slot = value.take();
    }
}

/// Clones a value. On the cold path: it happens once in the life of a link.
#[cold]
pub(super) fn copy<T: Clone>(once: &T) -> T {
    once.clone()
}

/// Gives a queue without an allocation room for one entry. It would start with room
/// for four, and many links never carry two batches at a time.
#[inline]
pub(crate) fn make_room<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() == 0 {
        queue.reserve_exact(1);
    }
}

/// A link with its event type erased, for snapshots.
pub(crate) trait LinkView: Send + Sync {
    /// Returns the link at this moment.
    fn snapshot(&self) -> LinkSnapshot;
    /// Whether one of its ends has let go and no event is in flight.
    fn is_over(&self) -> bool;
}

impl<E: Send> LinkView for Link<E> {
    fn snapshot(&self) -> LinkSnapshot {
        let state = self.lock();
        LinkSnapshot {
            id: self.id,
            producer: self.producer.endpoint().clone(),
            consumer: self.consumer.endpoint().clone(),
            max_demand: self.demand.max() as u64,
            manual: state.manual,
            ended: state.ended.is_some() || state.cancelled.is_some(),
            in_flight_bytes: None,
            totals: state.totals.totals(),
        }
    }

    fn is_over(&self) -> bool {
        let state = self.lock();
        (state.ended.is_some() || state.cancelled.is_some()) && state.is_settled()
    }
}
