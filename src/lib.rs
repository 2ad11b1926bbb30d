//! Demand-driven producer/consumer pipelines on tokio.
//!
//! Consumers ask for events, producers answer with batches, and a dispatcher at each
//! producer decides who gets what. Nothing is sent that was not asked for, so a slow
//! consumer slows its producers down instead of filling a queue.
//!
//! ```
//! use stages::operators::{fold, from_iter, map};
//! use stages::prelude::*;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), stages::Error> {
//!     let numbers = from_iter(1..=1000_u64).stage().spawn();
//!     let squares = map(|n: u64| n * n).stage().subscribe_to(&numbers).spawn();
//!     let sum = fold(0, |sum: u64, n: u64| sum + n).stage().subscribe_to(&squares).spawn();
//!     assert_eq!(sum.output().await?, 333_833_500);
//!     Ok(())
//! }
//! ```
//!
//! A stage with state of its own implements [`Producer`], [`Consumer`] or
//! [`ProducerConsumer`], each with one required method.
//!
//! # A tour
//!
//! | to | look at |
//! |---|---|
//! | write a stage | [`Producer`], [`Consumer`], [`ProducerConsumer`] |
//! | make one of a closure, an iterator, a stream or a channel | [`operators`] |
//! | push events from any thread into a bounded queue | [`queue()`], [`queue`](mod@queue) |
//! | run a task for every event | [`per_event()`] |
//! | connect stages | [`Subscription`], `subscribe_to` of the [builders](builder) |
//! | decide who gets which event | [`Demand`], [`Broadcast`], [`Detached`], [`Partition`], or a [dispatcher] of your own |
//! | bound what waits | [`DemandLimits`], `buffer_size` of the [builders](builder), [`Overflow`] |
//! | wire everything before the first event moves | [`Gate`] |
//! | ask at a pace of your own | [`DemandMode::Manual`], [`Context::ask`] |
//! | send a stage messages | [`Handler`], [`StageRef::call`], [`StageRef::cast`] |
//! | read a producer as a stream | [`Subscription::into_stream`] |
//! | end a stage, and learn how it ended | [`StageHandle::join`], [`Outcome`], [`CancelMode`] |
//! | restart a stage that fails | [`supervised`], [`Restart`], [`RestartStrategy`] |
//! | keep an event that a handler failed on | [`Batch::peek`], [`retain_taken`](builder::ConsumerBuilder::retain_taken), [`DeadLetter`] |
//! | own all stages of a program | [`Pipeline`], [`Group`] |
//! | run several stages on one task | [`Group::co_located`] |
//! | end without losing an event | [`Pipeline::drain`], [`Pipeline::run_until`] |
//! | keep stages of different types in one collection | [`StageControl`](handle::StageControl), [`Outlet`](handle::Outlet), [`Caller`](handle::Caller) |
//! | end one stage from outside | [`StageControl::stop`](handle::StageControl::stop), [`StageControl::complete`](handle::StageControl::complete), [`StageControl::drain`](handle::StageControl::drain) |
//! | see what stages do | [`StageControl::stats`](handle::StageControl::stats), [`Pipeline::snapshot`], [`snapshot`] |
//! | ask why nothing moves | [`Pipeline::explain`], [`Pipeline::watchdog`], [`explain`] |
//! | drive the protocol without a runtime | [`protocol`] |
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `serde` | snapshots and explanations implement `serde::Serialize` |
//! | `metrics` | snapshots can be recorded through the `metrics` facade |
//!
//! This crate re-exports `stage-core` (the protocol, no runtime), `stage-dispatchers`
//! and `stage-runtime` (the tokio shell). The crate `stage-test` tests dispatchers and
//! stages of your own.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use stage_core::{
    Batch, Bound, BoxError, Budget, CancelMode, Consumer, Context, DemandError, DemandLimits,
    DemandMode, Emitter, Failure, Gate, Handler, Info, Outcome, Overflow, Peer, Producer,
    ProducerConsumer, Reason, StageResult, SubscribeError, SubscriptionId, WhenFull,
};
pub use stage_dispatchers::{Broadcast, Demand, Detached, Partition, Selector, SubscriberQueue};
pub use stage_runtime::{
    CallError, CastError, ConsumerExt, ConsumerHandle, DeadLetter, DrainError, Error, EventStream,
    Group, IntoSubscription, Pipeline, ProducerConsumerExt, ProducerConsumerHandle, ProducerExt,
    ProducerHandle, Restart, RestartStrategy, Shed, ShedReason, SpawnError, StageHandle, StageId,
    StageRef, StageStats, Subscription, supervised,
};
pub use stage_runtime::{builder, explain, handle, operators, per_event, prelude, queue, snapshot};

/// What a dispatcher of your own needs.
pub mod dispatcher {
    pub use stage_core::{
        Bottleneck, DefaultRoute, Deliveries, DispatchError, Dispatcher, PartitionRoute, Rejected,
        SharedBatch, Supply,
    };
    pub use stage_dispatchers::{PartitionError, PartitionKey};
}

/// The protocol without a runtime: pure state machines, for simulators and
/// tests.
pub mod protocol {
    pub use stage_core::{
        Buffer, ByteWindow, Command, Commands, DemandWindow, Drain, Interrupted, Outbox,
        ProducerSide, Returned, Stored, Taken, panic_message,
    };
}

/// The Markdown of the project: its code is compiled and run with the tests.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/index.md")]
    mod index {}
    #[doc = include_str!("../docs/channels.md")]
    mod channels {}
    #[doc = include_str!("../docs/dispatcher.md")]
    mod dispatcher {}
    #[doc = include_str!("../docs/genstage.md")]
    mod genstage {}
    #[doc = include_str!("../docs/protocol.md")]
    mod protocol {}
    #[doc = include_str!("../docs/design.md")]
    mod design {}
    #[doc = include_str!("../docs/performance.md")]
    mod performance {}
    #[doc = include_str!("../docs/reliability.md")]
    mod reliability {}
    #[doc = include_str!("../docs/guide/consumers.md")]
    mod guide_consumers {}
    #[doc = include_str!("../docs/guide/demand.md")]
    mod guide_demand {}
    #[doc = include_str!("../docs/guide/dispatchers.md")]
    mod guide_dispatchers {}
    #[doc = include_str!("../docs/guide/ends.md")]
    mod guide_ends {}
    #[doc = include_str!("../docs/guide/first.md")]
    mod guide_first {}
    #[doc = include_str!("../docs/guide/gathering.md")]
    mod guide_gathering {}
    #[doc = include_str!("../docs/guide/manual.md")]
    mod guide_manual {}
    #[doc = include_str!("../docs/guide/messages.md")]
    mod guide_messages {}
    #[doc = include_str!("../docs/guide/observing.md")]
    mod guide_observing {}
    #[doc = include_str!("../docs/guide/operators.md")]
    mod guide_operators {}
    #[doc = include_str!("../docs/guide/per-event.md")]
    mod guide_per_event {}
    #[doc = include_str!("../docs/guide/pipelines.md")]
    mod guide_pipelines {}
    #[doc = include_str!("../docs/guide/sources.md")]
    mod guide_sources {}
    #[doc = include_str!("../docs/guide/streams.md")]
    mod guide_streams {}
    #[doc = include_str!("../docs/guide/supervision.md")]
    mod guide_supervision {}
}
