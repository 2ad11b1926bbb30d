//! Holds a dispatcher to the contract of [`Dispatcher`].
//!
//! Random scripts drive the dispatcher, and after every step one rule of the
//! contract is checked at a time:
//!
//! | rule | file |
//! |---|---|
//! | no subscriber gets more than it asked for, nor after it cancelled | `demand.rs` |
//! | every event is exactly one of delivered, held, left over, handed back, discarded, rejected | `conservation.rs` |
//! | what a subscriber gets keeps the order of dispatch | `order.rs` |
//! | demand saturates | `saturation.rs` |
//! | unknown subscribers change nothing, a second subscription is refused | `noise.rs` |
//! | while all wait for one subscriber, an ask of another moves nothing | `awaited.rs` |
//! | behind a producer, nothing deliverable stays behind and no demand is stuck | `rest.rs` |
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

/// A dispatcher and what it takes to drive it.
///
/// The dispatcher has to be deterministic: two that are made and driven alike
/// must do the same.
pub struct Conformance<D: Dispatcher> {
    make: Box<dyn Fn() -> D>,
    route: Box<dyn Fn(usize) -> D::Route>,
    event: Box<dyn Fn(u64) -> D::Event>,
    audience: Audience<D::Event>,
    subscribers: usize,
    seeds: Range<u64>,
}

/// Who gets an event.
enum Audience<E> {
    OneSubscriber,
    /// Each that wants it, by the number of the subscriber.
    EverySubscriber(Box<Wants<E>>),
}

type Wants<E> = dyn Fn(usize, &E) -> bool;

/// What an event must be able to do, so that the suite can tell it from
/// others.
pub trait TestEvent: Clone + Eq + Hash + Debug + 'static {}

impl<E: Clone + Eq + Hash + Debug + 'static> TestEvent for E {}

impl<D: Dispatcher> Conformance<D>
where
    D::Event: TestEvent,
{
    /// Tests the dispatchers that `make` returns.
    ///
    /// `route` is what the subscriber with this number, from 0, subscribes
    /// with. The subscribers together have to be able to get every event, and
    /// no two may exclude each other. `event` makes the event with this
    /// number; no two may be equal.
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

    /// The dispatcher sends an event to every subscriber that wants it, all at
    /// the same time. By default it sends an event to one subscriber.
    #[must_use]
    pub fn to_every_subscriber(
        mut self,
        wants: impl Fn(usize, &D::Event) -> bool + 'static,
    ) -> Self {
        self.audience = Audience::EverySubscriber(Box::new(wants));
        self
    }

    /// How many subscribers there are at most. Default 4.
    #[must_use]
    pub const fn subscribers(mut self, count: usize) -> Self {
        self.subscribers = count;
        self
    }

    /// The seeds of the scripts. Default `0..64`.
    #[must_use]
    pub const fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// Checks every rule with a script for every seed.
    ///
    /// # Panics
    ///
    /// When a rule is broken or the dispatcher panics; the message names the
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
