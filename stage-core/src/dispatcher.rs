//! The seam behind which a policy decides which subscriber gets which event.

use std::num::NonZeroUsize;
use std::sync::Arc;

use thiserror::Error;

use crate::{Batch, BoxError, DemandError, SubscriptionId};

/// Decides which subscriber gets which event.
///
/// A dispatcher is pure bookkeeping: it never sends, waits or looks at a
/// clock. It writes what should happen into a [`Deliveries`], and the producer
/// that owns it carries that out.
///
/// # Contract
///
/// - A subscriber is delivered at most as many events as it has asked for.
/// - An event that [`dispatch`](Dispatcher::dispatch) was given is delivered,
///   held (and counted by [`held`](Dispatcher::held)), returned as left over,
///   handed back, or reported as discarded or rejected: exactly one of these.
/// - What a subscriber is delivered keeps the order in which it was
///   dispatched.
/// - Demand saturates, it never wraps.
/// - An `ask` costs at most the logarithm of the number of subscribers, a
///   `dispatch` what it delivers.
///
/// The conformance suite in `stage-test` holds any dispatcher to these rules.
///
/// # Example
///
/// The guide builds a round-robin dispatcher of one's own, step by step.
///
/// Source: the behaviour `GenStage.Dispatcher`.
pub trait Dispatcher: Send {
    /// What is dispatched.
    type Event;
    /// What a subscriber must say to be subscribed: nothing (`()`), a
    /// partition, a selector.
    type Route;

    /// Adds a subscriber with no demand yet; returns demand for upstream, in
    /// events.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`] when the route cannot be served or `id` is already
    /// subscribed; nothing has changed then.
    fn subscribe(
        &mut self,
        id: SubscriptionId,
        route: Self::Route,
    ) -> Result<usize, SubscribeError>;

    /// Removes a subscriber; returns demand for upstream, in events. Events
    /// held for it alone go to [`Deliveries::hand_back`]. An unknown `id`
    /// changes nothing.
    fn cancel(&mut self, id: SubscriptionId, out: &mut Deliveries<Self::Event>) -> usize;

    /// Notes that a subscriber is ready for `demand` more events; returns
    /// demand for upstream, in events. An unknown `id` changes nothing.
    fn ask(
        &mut self,
        id: SubscriptionId,
        demand: NonZeroUsize,
        out: &mut Deliveries<Self::Event>,
    ) -> usize;

    /// Delivers what can be delivered now and returns the rest, in order.
    fn dispatch(
        &mut self,
        events: Batch<Self::Event>,
        out: &mut Deliveries<Self::Event>,
    ) -> Batch<Self::Event>;

    /// Called when a step is done and nothing moves: returns demand that
    /// subscribers have and that neither [`ask`](Dispatcher::ask) nor
    /// [`cancel`](Dispatcher::cancel) has returned, in events.
    ///
    /// A dispatcher that nets new demand against demand it returned earlier
    /// (for a subscriber that left, say) may have told upstream too little;
    /// this is where it makes up for that, so that the rule of rest holds: no
    /// buffered event stays where a subscriber could have it. A dispatcher
    /// that returns what it is asked has nothing to add, which is the default.
    fn at_rest(&mut self, supply: Supply) -> usize {
        let _ = supply;
        0
    }

    /// Takes back events that were delivered to a subscriber which leaves
    /// without having handled them; called before its
    /// [`cancel`](Dispatcher::cancel), oldest batch first.
    ///
    /// By default they go to [`Deliveries::hand_back`], and from the producer's
    /// buffer to another subscriber. A dispatcher that delivers an event to
    /// more than one subscriber discards them here: the others have theirs.
    fn take_back(
        &mut self,
        id: SubscriptionId,
        events: Batch<Self::Event>,
        out: &mut Deliveries<Self::Event>,
    ) {
        let _ = id;
        out.hand_back(events);
    }

    /// How many events were dispatched and are still kept inside, in events.
    /// The default, 0, is right for a dispatcher without queues of its own.
    fn held(&self) -> usize {
        0
    }
}

/// What a producer can count on when its dispatcher comes to rest, in events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Supply {
    /// Events in the producer's buffer.
    pub buffered: usize,
    /// Events asked of the producer and not emitted yet.
    pub owed: usize,
}

/// What a dispatcher wants done; filled by it, carried out by the producer.
#[derive(Debug)]
pub struct Deliveries<E> {
    pub(crate) sends: Vec<(SubscriptionId, Batch<E>)>,
    pub(crate) handed_back: Vec<Batch<E>>,
    pub(crate) rejected: Vec<Rejected<E>>,
    pub(crate) discarded: usize,
    pub(crate) requested: usize,
}

/// An event that a dispatcher could send nowhere, and why.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rejected<E> {
    /// The event.
    pub event: E,
    /// Why it went nowhere.
    pub error: DispatchError,
}

impl<E> Deliveries<E> {
    /// Nothing to do yet; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sends: Vec::new(),
            handed_back: Vec::new(),
            rejected: Vec::new(),
            discarded: 0,
            requested: 0,
        }
    }

    /// Sends `events` to a subscriber; an empty batch is not sent.
    pub fn deliver(&mut self, to: SubscriptionId, events: Batch<E>) {
        if !events.is_empty() {
            self.sends.push((to, events));
        }
    }

    /// Gives `events` back to the producer, which puts them in front of its
    /// buffer, ahead of everything newer.
    pub fn hand_back(&mut self, events: Batch<E>) {
        if !events.is_empty() {
            self.handed_back.push(events);
        }
    }

    /// Counts events that the user's policy dropped.
    pub const fn discard(&mut self, count: usize) {
        self.discarded = self.discarded.saturating_add(count);
    }

    /// Reports an event that could be sent nowhere.
    pub fn reject(&mut self, event: E, error: DispatchError) {
        self.rejected.push(Rejected { event, error });
    }

    /// Asks upstream for `demand` more events, beyond what the call returns:
    /// the credit of events that used up demand and reached nobody.
    pub const fn request(&mut self, demand: usize) {
        self.requested = self.requested.saturating_add(demand);
    }

    /// Takes the deliveries, in the order in which they were written.
    pub fn take_sends(&mut self) -> std::vec::Drain<'_, (SubscriptionId, Batch<E>)> {
        self.sends.drain(..)
    }

    /// Takes the batches that were handed back, oldest first.
    pub fn take_handed_back(&mut self) -> std::vec::Drain<'_, Batch<E>> {
        self.handed_back.drain(..)
    }

    /// Takes the events that could be sent nowhere.
    pub fn take_rejected(&mut self) -> std::vec::Drain<'_, Rejected<E>> {
        self.rejected.drain(..)
    }

    /// Takes the count of events that the user's policy dropped.
    pub const fn take_discarded(&mut self) -> usize {
        std::mem::replace(&mut self.discarded, 0)
    }

    /// Takes the extra demand for upstream, in events.
    pub const fn take_requested(&mut self) -> usize {
        std::mem::replace(&mut self.requested, 0)
    }
}

impl<E> Default for Deliveries<E> {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a subscription was not made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The dispatcher has no such partition.
    #[error("there is no partition {partition}; the partitions are {known}")]
    UnknownPartition {
        /// The partition asked for.
        partition: String,
        /// The partitions there are.
        known: String,
    },
    /// Another subscriber has that partition.
    #[error(
        "partition {partition} is taken by {owner}; cancel that one first, or take another partition"
    )]
    PartitionTaken {
        /// The partition asked for.
        partition: String,
        /// Who has it.
        owner: SubscriptionId,
    },
    /// The same subscription was made twice.
    #[error("{id} is subscribed already; a subscription is made once")]
    AlreadySubscribed {
        /// The subscription.
        id: SubscriptionId,
    },
    /// A dispatcher from outside said no, in its own words.
    #[error("the dispatcher refused the subscription: {reason}")]
    Refused {
        /// Why, and what to do about it.
        reason: String,
    },
    /// The demand limits cannot work.
    #[error("cannot subscribe to stage `{producer}`: {error}")]
    Demand {
        /// The name of the producer.
        producer: Arc<str>,
        /// What is wrong with the limits.
        #[source]
        error: DemandError,
    },
    /// The producer had delivered everything before the subscription reached
    /// it.
    #[error("stage `{producer}` has completed; there is nothing left to subscribe to")]
    ProducerCompleted {
        /// The name of the producer.
        producer: Arc<str>,
    },
    /// The producer had failed or been cancelled before the subscription
    /// reached it.
    #[error("stage `{producer}` has ended ({outcome}); subscribe to one that runs")]
    ProducerEnded {
        /// The name of the producer.
        producer: Arc<str>,
        /// How it ended.
        outcome: String,
    },
    /// The consumer had ended before it could subscribe.
    #[error("stage `{consumer}` has ended; an ended stage subscribes to nothing")]
    ConsumerEnded {
        /// The name of the consumer.
        consumer: Arc<str>,
    },
    /// A stage was to subscribe to itself.
    #[error("stage `{stage}` cannot subscribe to itself: it would wait for its own events")]
    Itself {
        /// The name of the stage.
        stage: Arc<str>,
    },
}

/// Why a dispatcher could send an event nowhere.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DispatchError {
    /// The hash named a partition that does not exist.
    #[error(
        "the hash sent an event to partition {partition}, which does not exist; the partitions are {known}; return one of these, or `None` to drop the event"
    )]
    UnknownPartition {
        /// The partition that the hash named.
        partition: String,
        /// The partitions there are.
        known: String,
    },
    /// A dispatcher from outside could not place the event.
    #[error("the dispatcher could not place an event: {0}")]
    Refused(BoxError),
}

impl<D: Dispatcher + ?Sized> Dispatcher for Box<D> {
    type Event = D::Event;
    type Route = D::Route;

    fn subscribe(
        &mut self,
        id: SubscriptionId,
        route: Self::Route,
    ) -> Result<usize, SubscribeError> {
        (**self).subscribe(id, route)
    }

    fn cancel(&mut self, id: SubscriptionId, out: &mut Deliveries<Self::Event>) -> usize {
        (**self).cancel(id, out)
    }

    fn ask(
        &mut self,
        id: SubscriptionId,
        demand: NonZeroUsize,
        out: &mut Deliveries<Self::Event>,
    ) -> usize {
        (**self).ask(id, demand, out)
    }

    fn dispatch(
        &mut self,
        events: Batch<Self::Event>,
        out: &mut Deliveries<Self::Event>,
    ) -> Batch<Self::Event> {
        (**self).dispatch(events, out)
    }

    fn at_rest(&mut self, supply: Supply) -> usize {
        (**self).at_rest(supply)
    }

    fn take_back(
        &mut self,
        id: SubscriptionId,
        events: Batch<Self::Event>,
        out: &mut Deliveries<Self::Event>,
    ) {
        (**self).take_back(id, events, out);
    }

    fn held(&self) -> usize {
        (**self).held()
    }
}
