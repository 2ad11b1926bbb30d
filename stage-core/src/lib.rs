//! The protocol of `stages`: plain data and pure functions.
//!
//! Consumers ask for events, producers answer with batches, and a dispatcher at
//! each producer decides which subscriber gets which event. This crate holds
//! the rules of that exchange and the traits that a stage implements. It has no
//! runtime, no clock and no task: a method takes an input and returns the
//! actions that follow, and an async shell, a simulator or a test carries them
//! out.
//!
//! | to | look at |
//! |---|---|
//! | write a stage | [`Producer`], [`Consumer`], [`ProducerConsumer`], [`Handler`] |
//! | read or take events | [`Batch`], [`SharedBatch`] |
//! | write a dispatcher | [`Dispatcher`], [`Deliveries`], [`DefaultRoute`], [`PartitionRoute`] |
//! | track the demand of one subscription | [`DemandLimits`], [`DemandWindow`], [`ByteWindow`] |
//! | bound a buffer or a queue | [`Bound`], [`Overflow`], [`Budget`] |
//! | drive a producer step by step | [`ProducerSide`], [`Buffer`], [`Gate`] |
//! | react to the end of a stage or subscription | [`Outcome`], [`Failure`], [`CancelMode`] |
//!
//! Most users want the `stages` crate, which adds the runtime and re-exports
//! the items of this one.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod batch;
mod bound;
mod budget;
mod buffer;
mod byte_window;
mod demand;
mod dispatcher;
mod extend;
mod outcome;
mod producer_side;
mod stage;
mod subscription;
mod when_full;

pub use batch::{Batch, Drain, Interrupted, SharedBatch};
pub use bound::Bound;
pub use budget::Budget;
pub use buffer::{Buffer, Overflow, Stored, Taken};
pub use byte_window::ByteWindow;
pub use demand::{DemandError, DemandLimits, DemandWindow};
pub use dispatcher::{
    Bottleneck, DefaultRoute, Deliveries, DispatchError, Dispatcher, PartitionRoute, Rejected,
    SubscribeError, Supply,
};
pub use outcome::{BoxError, Failure, Outcome, Reason, StageResult, panic_message};
pub use producer_side::{Gate, Outbox, ProducerSide, Returned};
pub use stage::{
    Command, Commands, Consumer, Context, Emitter, Handler, Info, Producer, ProducerConsumer,
};
pub use subscription::{CancelMode, DemandMode, Peer, SubscriptionId};
pub use when_full::WhenFull;

/// The README: its code is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
