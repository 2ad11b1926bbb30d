//! Subscriptions: to which producer, by which route, on which terms.

use std::fmt;
use std::sync::Arc;

use stage_core::{Budget, CancelMode, DemandError, DemandLimits, Peer, SubscribeError};

use crate::handle::Outlet;
use crate::link::{self, ConsumerEnd, InFlightBytes, Notifier, ProducerEnd};
use crate::producer_control::ProducerControl;
use crate::registry::Registry;
use crate::reply::{SubscribeReply, ended, producer_dropped};
use crate::shared::StageShared;
use crate::stage_id::{StageId, next_subscription};

/// A subscription to be made: to which producer, by which route, and on which terms.
///
/// Made from a producer's handle. Nothing happens before a consumer that takes it is
/// spawned.
///
/// Spawning a consumer sends its subscriptions to the producers. What the same thread
/// sends to a producer afterwards, such as a request to open its gate, is handled after
/// the subscription.
///
/// | option | default |
/// |---|---|
/// | [`max_demand`](Subscription::max_demand) | 1000 events |
/// | [`min_demand`](Subscription::min_demand) | half of `max_demand` |
/// | [`max_bytes`](Subscription::max_bytes) | no limit in bytes |
/// | [`budget`](Subscription::budget) | no budget |
/// | [`on_cancel`](Subscription::on_cancel) | [`CancelMode::Permanent`] |
///
/// ```
/// use stage_runtime::operators::{for_each, from_iter};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let numbers = from_iter(1..=10).stage().spawn();
/// let printer = for_each(|n: i32| println!("{n}"))
///     .stage()
///     .subscribe_to(numbers.subscription().max_demand(4).min_demand(1))
///     .spawn();
/// printer.join().await
/// # }
/// ```
pub struct Subscription<E> {
    target: Box<dyn Target<E>>,
    max_demand: Option<usize>,
    min_demand: Option<usize>,
    max_bytes: Option<MaxBytes<E>>,
    budget: Option<Budget>,
    cancel: CancelMode,
}

/// The limit of bytes in flight, and the weigher.
type MaxBytes<E> = (usize, fn(&E) -> usize);

impl<E: Send + 'static> Subscription<E> {
    /// Makes a subscription with the default terms.
    pub(crate) fn new<R: Send + 'static>(producer: Outlet<E, R>, route: R) -> Self {
        Self {
            target: Box::new(Routed { producer, route }),
            max_demand: None,
            min_demand: None,
            max_bytes: None,
            budget: None,
            cancel: CancelMode::default(),
        }
    }

    /// Sets the most events that are pending at any time; at least 1.
    #[must_use]
    pub fn max_demand(mut self, events: usize) -> Self {
        self.max_demand = Some(events);
        self
    }

    /// Sets the pending demand at which the consumer asks again, in events; below
    /// `max_demand`. The handler gets batches of at most `max_demand - min_demand`
    /// events.
    #[must_use]
    pub fn min_demand(mut self, events: usize) -> Self {
        self.min_demand = Some(events);
        self
    }

    /// Limits what is in flight to a number of bytes: the consumer asks for fewer events
    /// than `max_demand` if they are heavy. `weigh` returns the weight of an event in
    /// bytes, the same number each time. No limit by default.
    ///
    /// An event is in flight from when it is sent to when it is handled. The consumer asks
    /// for events before it knows their weight. So it adds up the weight of the events that
    /// have arrived and the mean weight of the last ones, about 100, for each event that
    /// was asked for and has not arrived, and keeps this sum within `bytes`. It follows
    /// that:
    ///
    /// - Among events of one weight no more than `bytes` are in flight.
    /// - Events that are heavier than those before them may exceed it, by the difference
    ///   to the mean, for each that was asked for. Demand is not taken back. The consumer
    ///   asks for no more until so much has been handled that the rest fits.
    /// - One event is always asked for when nothing is pending, whatever it weighs. So an
    ///   event that is heavier than `bytes` arrives, alone. With `bytes` 0 every event
    ///   does.
    /// - The consumer begins with one event, and never has more than twice as many pending
    ///   as have arrived so far.
    ///
    /// `max_demand` and `min_demand` hold as well; `min_demand` sinks in proportion. A
    /// handler that asks by hand asks for what it likes: then nothing is limited. `weigh`
    /// is called twice for each event. If it panics, the stage fails.
    ///
    /// ```
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let frames = from_iter((0..20).map(|_| vec![0_u8; 200_000])).stage().spawn();
    /// let few = frames.subscription().max_bytes(1_000_000, Vec::len);
    /// for_each(|frame: Vec<u8>| println!("{} bytes", frame.len()))
    ///     .stage()
    ///     .subscribe_to(few)
    ///     .spawn()
    ///     .await
    /// # }
    /// ```
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize, weigh: fn(&E) -> usize) -> Self {
        self.max_bytes = Some((bytes, weigh));
        self
    }

    /// Shares a [`Budget`] with other subscriptions and with buffers: what is in flight
    /// stays within what is left of it, beside [`max_bytes`](Self::max_bytes), which has
    /// to be set because it weighs the events. No budget by default.
    ///
    /// The events that have arrived count by their weight, and those that were asked for
    /// by the mean, also while the producer has none: it may send them at any time. One
    /// event may be pending whatever is left, so a subscription goes on event by event
    /// when others have taken the budget, and asks for more when it finds room after one
    /// of its batches. `max_bytes` is the most that the subscription takes of the budget.
    ///
    /// ```
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let pipeline = Pipeline::new();
    /// let budget = pipeline.budget(2_000_000);
    /// for _camera in 0..10 {
    ///     let frames = from_iter((0..20).map(|_| vec![0_u8; 200_000])).stage();
    ///     let frames = frames.in_group(&pipeline).spawn();
    ///     let few = frames.subscription().max_bytes(1_000_000, Vec::len).budget(&budget);
    ///     for_each(|_frame: Vec<u8>| ()).stage().subscribe_to(few).in_group(&pipeline).spawn();
    /// }
    /// pipeline.join().await?;
    /// assert_eq!(budget.used(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Without `max_bytes` the consumer cannot be spawned, or the subscription is refused:
    /// [`DemandError::BudgetWithoutMaxBytes`].
    #[must_use]
    pub fn budget(mut self, budget: &Budget) -> Self {
        self.budget = Some(budget.clone());
        self
    }

    /// Sets what the end of the subscription does to the consumer:
    /// [`CancelMode::Permanent`] by default.
    #[must_use]
    pub fn on_cancel(mut self, mode: CancelMode) -> Self {
        self.cancel = mode;
        self
    }

    /// Checks the demand limits and returns the terms.
    pub(crate) fn terms(&self) -> Result<Terms, SubscribeError> {
        let max = self.max_demand.unwrap_or(DemandLimits::default().max());
        let min = self.min_demand.unwrap_or(max / 2);
        let weighed = match (&self.budget, self.max_bytes) {
            (Some(_), None) => Err(DemandError::BudgetWithoutMaxBytes),
            _ => Ok(()),
        };
        let demand = weighed.and_then(|()| DemandLimits::new(max, min));
        let demand = demand.map_err(|error| SubscribeError::Demand {
            producer: self.producer_name(),
            error,
        })?;
        Ok(Terms {
            demand,
            cancel: self.cancel,
        })
    }

    /// Returns the id of the producer.
    pub(crate) fn producer_id(&self) -> StageId {
        self.target.notifier().endpoint().id
    }

    /// Returns the name of the producer.
    pub(crate) fn producer_name(&self) -> Arc<str> {
        Arc::clone(&self.target.notifier().endpoint().name)
    }

    /// Makes the link from the producer to the stage `consumer`, and sends the
    /// producer its end. The consumer may ask at once.
    pub(crate) fn wire_to(
        self,
        terms: Terms,
        consumer: &StageShared,
        reply: SubscribeReply,
    ) -> Wired<E> {
        let notifier = Arc::clone(&consumer.notifier);
        self.wire(terms, notifier, Some(&consumer.producer_links), reply)
    }

    /// Makes the link from the producer to the task behind `consumer`, a stage or a
    /// stream, and adds it to `registry`.
    pub(crate) fn wire(
        self,
        terms: Terms,
        consumer: Arc<Notifier>,
        registry: Option<&Registry>,
        reply: SubscribeReply,
    ) -> Wired<E> {
        let id = next_subscription();
        let producer = Arc::clone(self.target.notifier());
        let peer = |notifier: &Notifier| {
            let name = Arc::clone(&notifier.endpoint().name);
            Peer::new(id, name, terms.demand, terms.cancel)
        };
        let (above, below) = (peer(&producer), peer(&consumer));
        let producer_id = producer.endpoint().id;
        let answered = reply.is_some();
        let reply = reply.map(|reply| reply.or(ended(&above.stage, &producer_dropped())));
        let (producer_end, end) = link::connect(id, terms.demand, producer, consumer);
        let bytes = self
            .max_bytes
            .map(|(limit, weigh)| InFlightBytes::new(limit, weigh, self.budget.as_ref()));
        if let Some(registry) = registry {
            let link = producer_end.view();
            registry.insert(match &bytes {
                Some(bytes) => bytes.view(link),
                None => link,
            });
        }
        self.target.connect(below, producer_end, reply);
        Wired {
            producer: above,
            producer_id,
            end,
            bytes,
            answered,
        }
    }
}

/// The checked terms of a subscription.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) demand: DemandLimits,
    pub(crate) cancel: CancelMode,
}

/// A subscription that has been sent to its producer.
pub(crate) struct Wired<E> {
    /// The producer, as handlers see it.
    pub(crate) producer: Peer,
    /// The id of the producer's stage.
    pub(crate) producer_id: StageId,
    /// The consumer's end of the link.
    pub(crate) end: ConsumerEnd<E>,
    /// The bytes in flight, if they are limited.
    pub(crate) bytes: Option<Box<InFlightBytes<E>>>,
    /// A caller waits for the result of the subscription, so a refusal does not end
    /// the stage.
    pub(crate) answered: bool,
}

impl<E> fmt::Debug for Subscription<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("producer", &self.target.notifier().endpoint().name)
            .field("max_demand", &self.max_demand)
            .field("min_demand", &self.min_demand)
            .field("max_bytes", &self.max_bytes.map(|(bytes, _)| bytes))
            .field("budget", &self.budget)
            .field("cancel", &self.cancel)
            .finish()
    }
}

/// An argument of `subscribe_to`: a [`Subscription`], or a reference to the handle or the
/// [`Outlet`] of a producer whose route has a [default](stage_core::DefaultRoute).
#[diagnostic::on_unimplemented(
    message = "a stage that takes `{E}` cannot subscribe to `{Self}`",
    label = "not a producer of `{E}`",
    note = "subscribe to `&producer`, `producer.subscription()`, `producer.selector(f)` or `producer.partition(key)`"
)]
pub trait IntoSubscription<E> {
    /// Converts into the subscription.
    fn into_subscription(self) -> Subscription<E>;
}

impl<E> IntoSubscription<E> for Subscription<E> {
    fn into_subscription(self) -> Subscription<E> {
        self
    }
}

/// A producer and a route, with the type of the route erased: a consumer does not know
/// the dispatcher of its producer.
pub(crate) trait Target<E>: Send {
    /// Returns the notifier of the producer's task.
    fn notifier(&self) -> &Arc<Notifier>;
    /// Sends the producer its end of the link. If the producer has ended, answers for
    /// it.
    fn connect(self: Box<Self>, consumer: Peer, end: ProducerEnd<E>, reply: SubscribeReply);
}

/// A [`Target`] with its route.
struct Routed<E, R> {
    producer: Outlet<E, R>,
    route: R,
}

impl<E: Send, R: Send> Target<E> for Routed<E, R> {
    fn notifier(&self) -> &Arc<Notifier> {
        &self.producer.stage().shared.notifier
    }

    fn connect(self: Box<Self>, consumer: Peer, end: ProducerEnd<E>, reply: SubscribeReply) {
        let Self { producer, route } = *self;
        let control = ProducerControl::Subscribe {
            consumer,
            route,
            end,
            reply,
        };
        let stage = &producer.stage().shared;
        match producer.send(control) {
            Ok(()) => stage.notifier.notify(),
            Err(unsent) => unsent.turn_away(&stage.name, stage.outcome.get()),
        }
    }
}
