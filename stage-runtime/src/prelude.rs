//! The names that most pipelines use: `use stages::prelude::*;`.
//!
//! Operators such as [`map`](crate::operators::map) are not in the prelude, because
//! their names are those of std and futures. Import the ones you use.

pub use stage_core::{
    Batch, Bound, BoxError, CancelMode, Consumer, Context, DemandMode, Emitter, Gate, Handler,
    Info, Outcome, Overflow, Peer, Producer, ProducerConsumer, StageResult, SubscriptionId,
};
pub use stage_dispatchers::{Broadcast, Demand, Detached, Partition, Selector, SubscriberQueue};

pub use crate::builder::{ConsumerExt, ProducerConsumerExt, ProducerExt};
pub use crate::per_event::per_event;
pub use crate::pipeline::Pipeline;
pub use crate::restart::Restart;
pub use crate::subscription::Subscription;
pub use crate::supervised::supervised;
