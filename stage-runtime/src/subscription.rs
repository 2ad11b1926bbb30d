//! Subscriptions: to which producer, by which route, on which terms.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use stage_core::{Budget, CancelMode, DemandError, DemandLimits, Peer, SubscribeError};

use crate::link::{self, ConsumerEnd, InFlightBytes, Notifier, ProducerEnd};
use crate::outlet::Outlet;
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
/// | [`evict_after`](Subscription::evict_after) | never |
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
    /// Boxed because few subscriptions have any.
    bytes: Option<Box<ByteTerms<E>>>,
    cancel: CancelMode,
    /// Boxed, because few subscriptions have it.
    evict_after: Option<Box<Duration>>,
}

/// The limit of bytes in flight, and the weigher.
type MaxBytes<E> = (usize, fn(&E) -> usize);

/// The terms of a subscription that are in bytes.
struct ByteTerms<E> {
    max: Option<MaxBytes<E>>,
    budget: Option<Budget>,
}

// Not derived: a derive would ask the same of `E`.
impl<E> Default for ByteTerms<E> {
    fn default() -> Self {
        Self {
            max: None,
            budget: None,
        }
    }
}

impl<E: Send + 'static> Subscription<E> {
    /// Makes a subscription with the default terms.
    pub(crate) fn new<R: Send + 'static>(producer: Outlet<E, R>, route: R) -> Self {
        Self {
            target: Box::new(Routed { producer, route }),
            max_demand: None,
            min_demand: None,
            bytes: None,
            cancel: CancelMode::default(),
            evict_after: None,
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
        self.bytes.get_or_insert_default().max = Some((bytes, weigh));
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
        self.bytes.get_or_insert_default().budget = Some(budget.clone());
        self
    }

    /// Sets what the end of the subscription does to the consumer:
    /// [`CancelMode::Permanent`] by default.
    #[must_use]
    pub fn on_cancel(mut self, mode: CancelMode) -> Self {
        self.cancel = mode;
        self
    }

    /// Makes the producer evict the consumer when it has had no demand outstanding for the
    /// time `silence`: everything that it asked for was delivered, and it did not ask again.
    /// Never by default.
    ///
    /// With a [`Broadcast`](stage_dispatchers::Broadcast) all subscribers wait for the one
    /// that does not ask, and this limits how long. The time begins anew with every ask. A
    /// consumer with demand outstanding is never evicted, however long its producer has
    /// nothing to send. The time does not count while the producer's gate is closed, nor when
    /// the producer completes and has sent everything. It counts while the consumer is inside
    /// its handler, waits for a restart or, if it is a producer-consumer, is itself not asked.
    /// So choose a time longer than the consumer needs for `max_demand` events.
    ///
    /// The consumer is [evicted](crate::StageRef::evict), so it still handles what it was
    /// sent, and its subscription ends as cancelled, with a reason that names the time and the
    /// producer. The eviction is never early. It is late if the producer is inside a handler
    /// when the time has passed, by that handler and the next few.
    ///
    /// Sources: `backpressureTimeout` of Akka Streams, `timeoutDemand` of ServiceTalk.
    ///
    /// ```
    /// use std::time::Duration;
    /// use futures::StreamExt;
    /// use stage_runtime::operators::{fold, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(0..5_000_u64).stage().dispatcher(Broadcast::new()).spawn();
    /// let terms = numbers.subscription().evict_after(Duration::from_secs(30));
    /// let forgotten = terms.into_stream()?;
    /// let count = fold(0, |count, _| count + 1).stage().subscribe_to(&numbers).spawn();
    /// tokio::time::sleep(Duration::from_secs(31)).await;
    /// assert_eq!(count.stats().events_in, 5_000);
    ///
    /// let items: Vec<_> = forgotten.collect().await;
    /// assert_eq!(items.len(), 1_000 + 1);
    /// assert!(items[1_000].is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Whatever makes the subscription refuses a time of zero, with
    /// [`SubscribeError::ZeroEvictAfter`].
    ///
    /// # Panics
    ///
    /// The producer fails if it runs on a runtime without a timer.
    #[must_use]
    pub fn evict_after(mut self, silence: Duration) -> Self {
        self.evict_after = Some(Box::new(silence));
        self
    }

    /// Checks the options and returns the terms.
    pub(crate) fn terms(&self) -> Result<Terms, SubscribeError> {
        let max = self.max_demand.unwrap_or(DemandLimits::default().max());
        let min = self.min_demand.unwrap_or(max / 2);
        let weighed = match &self.bytes {
            Some(bytes) if bytes.max.is_none() => Err(DemandError::BudgetWithoutMaxBytes),
            _ => Ok(()),
        };
        let demand = weighed.and_then(|()| DemandLimits::new(max, min));
        let demand = demand.map_err(|error| SubscribeError::Demand {
            producer: self.producer_name(),
            error,
        })?;
        let evict_after = self.evict_after.as_deref().copied();
        if evict_after.is_some_and(|silence| silence.is_zero()) {
            return Err(SubscribeError::ZeroEvictAfter {
                producer: self.producer_name(),
            });
        }
        Ok(Terms {
            demand,
            cancel: self.cancel,
            evict_after,
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
        let bytes = self.bytes.and_then(|bytes| {
            let (limit, weigh) = bytes.max?;
            Some(InFlightBytes::new(limit, weigh, bytes.budget.as_ref()))
        });
        if let Some(registry) = registry {
            let link = producer_end.view();
            registry.insert(match &bytes {
                Some(bytes) => bytes.view(link),
                None => link,
            });
        }
        let connection = Connection {
            consumer: below,
            end: producer_end,
            reply,
            evict_after: terms.evict_after,
        };
        self.target.connect(connection);
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
    /// See [`Subscription::evict_after`].
    pub(crate) evict_after: Option<Duration>,
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
        let bytes = self.bytes.as_deref();
        f.debug_struct("Subscription")
            .field("producer", &self.target.notifier().endpoint().name)
            .field("max_demand", &self.max_demand)
            .field("min_demand", &self.min_demand)
            .field(
                "max_bytes",
                &bytes.and_then(|bytes| bytes.max).map(|max| max.0),
            )
            .field("budget", &bytes.and_then(|bytes| bytes.budget.as_ref()))
            .field("cancel", &self.cancel)
            .field("evict_after", &self.evict_after)
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
    fn connect(self: Box<Self>, connection: Connection<E>);
}

/// What a producer gets of a subscription.
pub(crate) struct Connection<E> {
    /// The consumer, as handlers see it.
    consumer: Peer,
    /// The producer's end of the link.
    end: ProducerEnd<E>,
    reply: SubscribeReply,
    evict_after: Option<Duration>,
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

    fn connect(self: Box<Self>, connection: Connection<E>) {
        let Self { producer, route } = *self;
        let Connection {
            consumer,
            end,
            reply,
            evict_after,
        } = connection;
        let id = consumer.subscription;
        let control = ProducerControl::Subscribe {
            consumer,
            route,
            end,
            reply,
        };
        let stage = &producer.stage().shared;
        match producer.send(control) {
            Ok(()) => {
                // A request of its own, so that those without it are no larger.
                if let Some(silence) = evict_after {
                    // A producer that has ended meanwhile evicts nobody.
                    let _ = producer.send(ProducerControl::EvictAfter(id, silence));
                }
                stage.notifier.notify();
            }
            Err(unsent) => unsent.turn_away(&stage.name, stage.outcome.get()),
        }
    }
}
