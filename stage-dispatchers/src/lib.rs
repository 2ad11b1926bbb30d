//! The dispatchers of `stages`: who gets which event.
//!
//! | every event goes to | dispatcher | a subscriber says |
//! |---|---|---|
//! | the subscriber that has asked for the most | [`Demand`], the default | nothing |
//! | all subscribers, or those whose selector keeps it | [`Broadcast`] | a [`Selector`] |
//! | the subscriber of the partition it hashes to | [`Partition`] | its partition |
//!
//! All three are pure bookkeeping behind [`stage_core::Dispatcher`], and all
//! three keep the rule of rest: no buffered event stays where a subscriber
//! that has demand could have it.
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
#![forbid(unsafe_code)]

mod broadcast;
mod demand;
mod least;
mod partition;
mod supply;

pub use broadcast::{Broadcast, Selector};
pub use demand::Demand;
pub use partition::{Partition, PartitionError, PartitionKey};
