//! The dispatchers of `stages`: the policies that decide which subscriber gets
//! which event.
//!
//! | every event goes to | dispatcher | a subscriber names |
//! |---|---|---|
//! | the subscriber that has asked for the most | [`Demand`], the default | nothing |
//! | all subscribers, or those whose selector accepts it | [`Broadcast`] | a [`Selector`] |
//! | all subscribers, each at its own pace | [`Detached`] | a [`SubscriberQueue`] |
//! | the subscriber of the partition it hashes to | [`Partition`] | its partition |
//!
//! All four are pure bookkeeping behind [`stage_core::Dispatcher`], and all
//! four keep the rule of rest: no event stays in the buffer while a subscriber
//! with demand could have it.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use stage_core::{Batch, Deliveries, Dispatcher, SubscriptionId};
//! use stage_dispatchers::Demand;
//!
//! let (one, two) = (SubscriptionId::new(1), SubscriptionId::new(2));
//! let mut out = Deliveries::new();
//! let mut demand = Demand::new();
//! demand.subscribe(one, ()).unwrap();
//! demand.subscribe(two, ()).unwrap();
//! demand.ask(one, NonZeroUsize::new(2).unwrap(), &mut out);
//! demand.ask(two, NonZeroUsize::new(3).unwrap(), &mut out);
//!
//! let left_over = demand.dispatch(Batch::from(vec!["a", "b", "c", "d"]), &mut out);
//! let sent: Vec<_> = out.take_sends().map(|(to, batch)| (to, batch.into_vec())).collect();
//! assert_eq!(sent, [(two, vec!["a", "b", "c"]), (one, vec!["d"])]);
//! assert!(left_over.is_empty());
//! ```
//!
//! A producer drives its dispatcher through [`ProducerSide`](stage_core::ProducerSide):
//!
//! ```
//! use std::num::NonZeroUsize;
//! use stage_core::{Bound, Gate, Outbox, Overflow, ProducerSide, SubscriptionId};
//! use stage_dispatchers::Demand;
//!
//! let worker = SubscriptionId::new(1);
//! let dispatcher = Demand::<u64>::new();
//! let unbounded = Bound::Unbounded;
//! let mut producer = ProducerSide::<_, ()>::new(dispatcher, unbounded, Overflow::DropOldest, Gate::Open);
//! let mut out = Outbox::new();
//! producer.subscribe(worker, (), &mut out).unwrap();
//! producer.ask(worker, NonZeroUsize::new(3).unwrap(), &mut out);
//! assert_eq!(producer.next_demand(), NonZeroUsize::new(3));
//!
//! producer.emit(vec![1, 2], &mut out);
//! assert_eq!(out.deliveries.take_sends().next().unwrap().1[..], [1, 2]);
//! assert_eq!(producer.unmet(), 1);
//! ```
#![forbid(unsafe_code)]

mod broadcast;
mod demand;
mod detached;
mod least;
mod partition;
mod supply;

pub use broadcast::{Broadcast, Selector};
pub use demand::Demand;
pub use detached::{Detached, SubscriberQueue};
pub use partition::{Partition, PartitionError, PartitionKey};

/// The README: its code is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
