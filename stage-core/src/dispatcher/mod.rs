//! The seam behind which a policy decides which subscriber gets which event.

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

    /// Stops delivering to a subscriber, whose demand is void; returns demand
    /// for upstream, in events. Events held for it alone go to
    /// [`Deliveries::hand_back`], now or in [`take_back`](Dispatcher::take_back).
    /// An unknown `id` changes nothing.
    ///
    /// The subscriber may still handle what it was delivered before. A dispatcher
    /// that gives a subscriber something for itself alone, such as a partition,
    /// gives it to nobody else before `take_back`.
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

    /// A cancelled subscriber has settled everything it was delivered: takes
    /// back the events it has not handled, oldest first, of which there may be
    /// none; returns demand for upstream, in events.
    ///
    /// Called once after each [`cancel`](Dispatcher::cancel): at once if the
    /// subscriber has ended, later if it still handles what had arrived.
    ///
    /// By default the events go to [`Deliveries::hand_back`], and from the
    /// producer's buffer to another subscriber. A dispatcher that delivers an
    /// event to more than one subscriber discards them here: the others have
    /// theirs.
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

    /// What holds all others up, if something does: asked when a pipeline is to
    /// say why it stands still. The default, `None`, is right for a dispatcher
    /// in which nobody waits for somebody else.
    fn bottleneck(&self) -> Option<Bottleneck> {
        None
    }

    /// How many events were dispatched and are still kept inside, in events.
    /// The default, 0, is right for a dispatcher without queues of its own.
    fn held(&self) -> usize {
        0
    }
}

/// What a producer can count on when its dispatcher comes to rest, in events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Supply {
    /// Events in the producer's buffer.
    pub buffered: usize,
    /// Events asked of the producer and not emitted yet.
    pub owed: usize,
}

impl Supply {
    /// A supply of `buffered` events, with `owed` more to come.
    #[must_use]
    pub const fn new(buffered: usize, owed: usize) -> Self {
        Self { buffered, owed }
    }
}

/// What holds up a dispatcher: others could have events, and wait.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bottleneck {
    /// Whom the others wait for; `None` if nobody has subscribed to what is
    /// full.
    pub subscriber: Option<SubscriptionId>,
    /// What is full, such as `partition 3`, if it is a part of the dispatcher.
    ///
    /// `None` if the dispatcher as a whole waits for the subscriber: before that
    /// one asks or leaves, an ask of another one must deliver nothing and want
    /// nothing of upstream. A producer does not even look at such asks until then.
    pub part: Option<String>,
    /// Events that wait there.
    pub held: usize,
}

impl Bottleneck {
    /// A bottleneck at `subscriber`, where `held` events wait. It is the dispatcher
    /// as a whole unless [`with_part`](Self::with_part) names a part.
    #[must_use]
    pub const fn new(subscriber: Option<SubscriptionId>, held: usize) -> Self {
        Self {
            subscriber,
            part: None,
            held,
        }
    }

    /// Names the part that is full, such as `partition 3`.
    #[must_use]
    pub fn with_part(mut self, part: impl Into<String>) -> Self {
        self.part = Some(part.into());
        self
    }

    /// The subscriber for whom the dispatcher as a whole waits, if it does.
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

    fn bottleneck(&self) -> Option<Bottleneck> {
        (**self).bottleneck()
    }

    fn held(&self) -> usize {
        (**self).held()
    }
}
