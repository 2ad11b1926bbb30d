//! Checks a dispatcher against the contract of [`Dispatcher`].
//!
//! Random scripts drive the dispatcher, and after every step one rule of the
//! contract is checked:
//!
//! | rule | file |
//! |---|---|
//! | no subscriber gets more than it asked for, or anything after it cancelled | `demand.rs` |
//! | every event is exactly one of delivered, held, left over, handed back, discarded, rejected | `conservation.rs`; `copies.rs` for a dispatcher with a queue for each subscriber |
//! | each subscriber gets events in the order of dispatch | `order.rs` |
//! | demand saturates | `saturation.rs` |
//! | unknown subscribers change nothing, a second subscription is refused, only subscribers are evicted | `noise.rs` |
//! | while all wait for one subscriber, an ask of another has no effect | `awaited.rs` |
//! | in a producer, nothing deliverable stays in the buffer and no demand is stuck | `rest.rs` |
//!
//! ```should_panic
//! use std::collections::BTreeSet;
//! use std::num::NonZeroUsize;
//! use stage_core::{Batch, Deliveries, Dispatcher, SubscribeError, SubscriptionId};
//! use stage_test::conformance::Conformance;
//!
//! /// Sends everything to the first subscriber, asked or not.
//! #[derive(Default)]
//! struct Flood(BTreeSet<SubscriptionId>);
//!
//! impl Dispatcher for Flood {
//!     type Event = u64;
//!     type Route = ();
//!
//!     fn subscribe(&mut self, id: SubscriptionId, (): ()) -> Result<usize, SubscribeError> {
//!         let new = self.0.insert(id);
//!         new.then_some(0).ok_or(SubscribeError::AlreadySubscribed { id })
//!     }
//!
//!     fn cancel(&mut self, id: SubscriptionId, _: &mut Deliveries<u64>) -> usize {
//!         self.0.remove(&id);
//!         0
//!     }
//!
//!     fn ask(&mut self, _: SubscriptionId, n: NonZeroUsize, _: &mut Deliveries<u64>) -> usize {
//!         n.get()
//!     }
//!
//!     fn dispatch(&mut self, events: Batch<u64>, out: &mut Deliveries<u64>) -> Batch<u64> {
//!         let Some(first) = self.0.first() else { return events };
//!         out.deliver(*first, events);
//!         Batch::new()
//!     }
//! }
//!
//! // Panics: "never more than asked: seed 0, step 3: ..."
//! Conformance::new(Flood::default, |_| (), |number| number).check();
//! ```

mod awaited;
mod conservation;
mod copies;
mod demand;
mod noise;
mod order;
mod rest;
mod rule;
mod saturation;
mod script;
mod stand;

use std::fmt::Debug;
use std::hash::Hash;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use stage_core::Dispatcher;

use self::rule::Broken;

/// The conformance suite of one dispatcher.
///
/// The dispatcher must be deterministic: two that are created and driven alike
/// must act alike.
pub struct Conformance<D: Dispatcher> {
    make: Box<dyn Fn() -> D>,
    route: Box<dyn Fn(usize) -> D::Route>,
    event: Box<dyn Fn(u64) -> D::Event>,
    audience: Audience<D::Event>,
    subscribers: usize,
    seeds: Range<u64>,
}

/// The subscribers that get an event.
enum Audience<E> {
    OneSubscriber,
    /// Each subscriber that wants the event; the function takes the
    /// subscriber's number.
    EverySubscriber(Box<Wants<E>>),
    /// As before, but each subscriber in its own time, and with gaps.
    EachInItsOwnTime(Box<Wants<E>>),
}

type Wants<E> = dyn Fn(usize, &E) -> bool;

/// The bounds on an event, which the suite needs to tell events apart.
pub trait TestEvent: Clone + Eq + Hash + Debug + 'static {}

impl<E: Clone + Eq + Hash + Debug + 'static> TestEvent for E {}

impl<D: Dispatcher> Conformance<D>
where
    D::Event: TestEvent,
{
    /// Returns a suite for the dispatchers that `make` returns.
    ///
    /// `route` returns the route of the subscriber with a number, from 0. The
    /// subscribers together must be able to get every event, and no two may
    /// exclude each other. `event` returns the event with a number; all events
    /// must be different.
    pub fn new(
        make: impl Fn() -> D + 'static,
        route: impl Fn(usize) -> D::Route + 'static,
        event: impl Fn(u64) -> D::Event + 'static,
    ) -> Self {
        Self {
            make: Box::new(make),
            route: Box::new(route),
            event: Box::new(event),
            audience: Audience::OneSubscriber,
            subscribers: 4,
            seeds: 0..64,
        }
    }

    /// Declares that the dispatcher sends each event to every subscriber that
    /// wants it, all in the same step. By default it sends each event to one
    /// subscriber.
    #[must_use]
    pub fn to_every_subscriber(
        mut self,
        wants: impl Fn(usize, &D::Event) -> bool + 'static,
    ) -> Self {
        self.audience = Audience::EverySubscriber(Box::new(wants));
        self
    }

    /// Declares that the dispatcher sends each event to every subscriber that
    /// wants it, each in its own time, and that it may drop events for one
    /// subscriber alone: it has a queue for each.
    ///
    /// Each subscriber gets a part of the events that it wants, each once and in
    /// order. The events that it does not get are held, or they are counted as
    /// discarded. Both counts, and that of the rejected events, are of copies:
    /// an event counts once for each subscriber that wants it. An event that is
    /// dispatched while nobody is subscribed counts once.
    #[must_use]
    pub fn to_every_subscriber_in_its_own_time(
        mut self,
        wants: impl Fn(usize, &D::Event) -> bool + 'static,
    ) -> Self {
        self.audience = Audience::EachInItsOwnTime(Box::new(wants));
        self
    }

    /// Sets the maximum number of subscribers. 4 by default.
    #[must_use]
    pub const fn subscribers(mut self, count: usize) -> Self {
        self.subscribers = count;
        self
    }

    /// Sets the seeds of the scripts. `0..64` by default.
    #[must_use]
    pub const fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// Checks every rule with one script for each seed.
    ///
    /// # Panics
    ///
    /// If a rule is broken or the dispatcher panics. The message names the
    /// rule, the seed and the step.
    pub fn check(&self) {
        type Check<D> = fn(&Conformance<D>, u64) -> Result<(), Broken>;
        let rules: [(&str, Check<D>); 7] = [
            ("never more than asked", demand::check),
            ("conservation", conservation::check),
            ("order", order::check),
            ("saturation", saturation::check),
            ("noise changes nothing", noise::check),
            ("waiting for one", awaited::check),
            ("rest", rest::check),
        ];
        for (rule, check) in rules {
            for seed in self.seeds.clone() {
                match catch_unwind(AssertUnwindSafe(|| check(self, seed))) {
                    Ok(Ok(())) => {}
                    Ok(Err(broken)) => panic!("{rule}: seed {seed}, {broken}"),
                    Err(_) => panic!("{rule}: seed {seed}: the dispatcher panicked, see above"),
                }
            }
        }
    }
}

impl<D: Dispatcher> Debug for Conformance<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conformance")
            .field("subscribers", &self.subscribers)
            .field("seeds", &self.seeds)
            .finish_non_exhaustive()
    }
}
