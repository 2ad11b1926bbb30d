//! The [`Dispatcher`] trait: the policy that decides which subscriber gets
//! which event.

mod deliveries;
mod error;
mod route;

use std::num::NonZeroUsize;

use crate::{Batch, SubscriptionId};

pub use deliveries::{Deliveries, Rejected};
pub use error::{DispatchError, SubscribeError};
pub use route::{DefaultRoute, PartitionRoute};

/// Decides which subscriber gets which event.
///
/// A dispatcher is pure bookkeeping: it never sends, waits or reads a clock. It
/// writes the actions to take into a [`Deliveries`], and the producer that owns
/// it carries them out.
///
/// # Contract
///
/// - A subscriber is delivered at most as many events as it has asked for.
/// - Each event given to [`dispatch`](Dispatcher::dispatch) is exactly one of:
///   delivered, held (and counted by [`held`](Dispatcher::held)), returned as
///   left over, handed back, discarded, or rejected.
/// - Each subscriber gets its events in the order in which they were
///   dispatched.
/// - Demand saturates, it never wraps.
/// - An `ask` costs at most the logarithm of the number of subscribers; a
///   `dispatch` costs time in proportion to the events it delivers.
///
/// The conformance suite in `stage-test` checks these rules for any dispatcher.
///
/// # Example
///
/// A dispatcher for a single subscriber. The guide builds a round-robin
/// dispatcher for any number of them.
///
/// ```
/// use std::num::NonZeroUsize;
/// use stage_core::{Batch, Deliveries, Dispatcher, SubscribeError, SubscriptionId};
///
/// #[derive(Default)]
/// struct Exclusive {
///     subscriber: Option<SubscriptionId>,
///     demand: usize,
/// }
///
/// impl Dispatcher for Exclusive {
///     type Event = u64;
///     type Route = ();
///
///     fn subscribe(&mut self, id: SubscriptionId, (): ()) -> Result<usize, SubscribeError> {
///         if let Some(owner) = self.subscriber {
///             let reason = format!("{owner} is the only one");
///             return Err(SubscribeError::Refused { reason });
///         }
///         self.subscriber = Some(id);
///         Ok(0)
///     }
///
///     fn cancel(&mut self, id: SubscriptionId, _out: &mut Deliveries<u64>) -> usize {
///         if self.subscriber == Some(id) {
///             *self = Self::default();
///         }
///         0
///     }
///
///     fn ask(&mut self, id: SubscriptionId, demand: NonZeroUsize, _out: &mut Deliveries<u64>) -> usize {
///         if self.subscriber != Some(id) {
///             return 0;
///         }
///         self.demand = self.demand.saturating_add(demand.get());
///         demand.get()
///     }
///
///     fn dispatch(&mut self, mut events: Batch<u64>, out: &mut Deliveries<u64>) -> Batch<u64> {
///         if let Some(id) = self.subscriber {
///             let now = events.split_to(self.demand);
///             self.demand -= now.len();
///             out.deliver(id, now);
///         }
///         events
///     }
/// }
///
/// let (id, mut out) = (SubscriptionId::new(1), Deliveries::new());
/// let mut dispatcher = Exclusive::default();
/// dispatcher.subscribe(id, ()).unwrap();
/// assert_eq!(dispatcher.ask(id, NonZeroUsize::new(2).unwrap(), &mut out), 2);
/// let left_over = dispatcher.dispatch(Batch::from(vec![1, 2, 3]), &mut out);
/// assert_eq!(out.take_sends().next().unwrap().1[..], [1, 2]);
/// assert_eq!(left_over[..], [3]);
/// ```
///
/// Source: the behaviour `GenStage.Dispatcher`.
pub trait Dispatcher: Send {
    /// The type of the events.
    type Event;
    /// The argument of a subscription: nothing (`()`), a partition, or a
    /// selector.
    type Route;

    /// Adds a subscriber without demand; returns demand for upstream, in
    /// events.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`] if the dispatcher cannot serve the route, or if `id`
    /// is already subscribed. The dispatcher is then unchanged.
    fn subscribe(
        &mut self,
        id: SubscriptionId,
        route: Self::Route,
    ) -> Result<usize, SubscribeError>;

    /// Stops delivering to a subscriber and voids its demand; returns demand
    /// for upstream, in events. Events held for this subscriber alone go to
    /// [`Deliveries::hand_back`], either here or in
    /// [`take_back`](Dispatcher::take_back). An unknown `id` changes nothing.
    ///
    /// The subscriber may still be handling events delivered earlier. A
    /// dispatcher that assigns something to one subscriber exclusively, such as
    /// a partition, must not assign it to another before `take_back`.
    fn cancel(&mut self, id: SubscriptionId, out: &mut Deliveries<Self::Event>) -> usize;

    /// Adds `demand` events to what a subscriber has asked for; returns demand
    /// for upstream, in events. An unknown `id` changes nothing.
    fn ask(
        &mut self,
        id: SubscriptionId,
        demand: NonZeroUsize,
        out: &mut Deliveries<Self::Event>,
    ) -> usize;

    /// Delivers as many events as possible now and returns the rest, in order.
    fn dispatch(
        &mut self,
        events: Batch<Self::Event>,
        out: &mut Deliveries<Self::Event>,
    ) -> Batch<Self::Event>;

    /// Returns demand that subscribers have and that no earlier call has
    /// returned, in events. The producer calls it at the end of each step, when
    /// nothing more moves, and once before the first. 0 by default.
    ///
    /// A dispatcher that nets new demand against demand it returned earlier,
    /// for a subscriber that has left for example, may have returned too
    /// little. It makes up the difference here, so that the rule of rest holds:
    /// no event stays in the buffer while a subscriber could have it. A
    /// dispatcher that returns all demand from `ask` needs no implementation.
    fn at_rest(&mut self, supply: Supply) -> usize {
        let _ = supply;
        0
    }

    /// Takes back the events that a cancelled subscriber has not handled,
    /// oldest first, possibly none; returns demand for upstream, in events.
    ///
    /// Called once after each [`cancel`](Dispatcher::cancel), when the
    /// subscriber has settled everything it was delivered: at once if it has
    /// ended, later if it is still handling events. Also called, without events,
    /// when a subscriber that goes on has settled everything it had been
    /// delivered before its last [`reroute`](Dispatcher::reroute).
    ///
    /// By default the events go to [`Deliveries::hand_back`], and from the
    /// producer's buffer to another subscriber. A dispatcher that delivers an
    /// event to more than one subscriber discards them here, because the others
    /// have received them.
    fn take_back(
        &mut self,
        id: SubscriptionId,
        unhandled: Vec<Batch<Self::Event>>,
        out: &mut Deliveries<Self::Event>,
    ) -> usize {
        let _ = id;
        for events in unhandled {
            out.hand_back(events);
        }
        0
    }

    /// Changes the route of a subscriber that keeps its demand and its place;
    /// returns demand for upstream, in events. Events that are dispatched from
    /// now on go by the new route. What belongs to the subscriber alone by its old
    /// route, such as a partition, must not be assigned to another before
    /// [`take_back`](Dispatcher::take_back).
    ///
    /// By default a route cannot be changed.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`] if the dispatcher cannot serve the route, or if `id`
    /// is not subscribed. The dispatcher is then unchanged.
    fn reroute(
        &mut self,
        id: SubscriptionId,
        route: Self::Route,
        out: &mut Deliveries<Self::Event>,
    ) -> Result<usize, SubscribeError> {
        let _ = (route, out);
        Err(SubscribeError::FixedRoute { id })
    }

    /// Returns what all other subscribers wait for, if anything. Explanations
    /// of a stalled pipeline use it. `None` by default, which is correct for a
    /// dispatcher in which no subscriber waits for another.
    fn bottleneck(&self) -> Option<Bottleneck> {
        None
    }

    /// Returns the number of dispatched events that the dispatcher still holds.
    /// 0 by default, which is correct for a dispatcher without queues.
    fn held(&self) -> usize {
        0
    }

    /// Takes the events that the dispatcher still holds, oldest first. Called
    /// when the producer ends, to give them to a hook of the user; no other
    /// method but [`held`](Dispatcher::held) is called afterwards.
    ///
    /// Empty by default, which is correct for a dispatcher without queues. What
    /// a dispatcher holds and does not give out is only counted.
    fn take_held(&mut self) -> Vec<Batch<Self::Event>> {
        Vec::new()
    }
}

/// The events available to a dispatcher at the end of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Supply {
    /// Events in the producer's buffer.
    pub buffered: usize,
    /// Events that the producer was asked for and has not emitted.
    pub owed: usize,
}

impl Supply {
    /// Returns a supply of `buffered` events, with `owed` more to come.
    #[must_use]
    pub const fn new(buffered: usize, owed: usize) -> Self {
        Self { buffered, owed }
    }
}

/// The subscriber or part of a dispatcher that keeps other subscribers waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bottleneck {
    /// The subscriber that the others wait for; `None` if the full part has no
    /// subscriber.
    pub subscriber: Option<SubscriptionId>,
    /// The full part of the dispatcher, such as `partition 3`.
    ///
    /// `None` if the dispatcher as a whole waits for `subscriber`. Until that
    /// subscriber asks or cancels, an ask of any other subscriber must then
    /// deliver nothing and return no demand. The runtime relies on this: it
    /// does not wake a producer for such asks.
    pub part: Option<String>,
    /// The number of events that wait there.
    pub held: usize,
}

impl Bottleneck {
    /// Returns a bottleneck of the dispatcher as a whole, at `subscriber`, with
    /// `held` events waiting. [`with_part`](Self::with_part) narrows it down to
    /// a part.
    #[must_use]
    pub const fn new(subscriber: Option<SubscriptionId>, held: usize) -> Self {
        Self {
            subscriber,
            part: None,
            held,
        }
    }

    /// Sets the name of the full part, such as `partition 3`.
    #[must_use]
    pub fn with_part(mut self, part: impl Into<String>) -> Self {
        self.part = Some(part.into());
        self
    }

    /// Returns the subscriber that the dispatcher as a whole waits for, if any.
    #[must_use]
    #[inline]
    pub const fn awaited(&self) -> Option<SubscriptionId> {
        match self.part {
            None => self.subscriber,
            Some(_) => None,
        }
    }
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
        unhandled: Vec<Batch<Self::Event>>,
        out: &mut Deliveries<Self::Event>,
    ) -> usize {
        (**self).take_back(id, unhandled, out)
    }

    fn reroute(
        &mut self,
        id: SubscriptionId,
        route: Self::Route,
        out: &mut Deliveries<Self::Event>,
    ) -> Result<usize, SubscribeError> {
        (**self).reroute(id, route, out)
    }

    fn bottleneck(&self) -> Option<Bottleneck> {
        (**self).bottleneck()
    }

    fn held(&self) -> usize {
        (**self).held()
    }

    fn take_held(&mut self) -> Vec<Batch<Self::Event>> {
        (**self).take_held()
    }
}
