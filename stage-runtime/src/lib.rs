//! The tokio shell of `stages`: the tasks, links and handles that run the
//! protocol of `stage-core`.
//!
//! | to | look at |
//! |---|---|
//! | build and spawn a stage | [`ProducerExt::stage`], [`ConsumerExt::stage`], [`ProducerConsumerExt::stage`] |
//! | say what to subscribe to | [`Subscription`], [`IntoSubscription`] |
//! | reach a running stage | [`StageHandle`], [`StageRef`] |
//! | keep stages of different types in one collection | [`StageControl`](handle::StageControl), [`Outlet`](handle::Outlet), [`Caller`](handle::Caller) |
//! | make a stage from a closure, an iterator, a stream or a channel | [`operators`] |
//! | push events from any thread into a bounded queue | [`queue()`], [`Inlet`](queue::Inlet) |
//! | run a task for every event | [`per_event()`], [`per_event_with`](per_event::per_event_with) |
//! | read a producer as a stream | [`Subscription::into_stream`] |
//! | restart a stage when it fails | [`supervised`], [`Restart`] |
//! | own all stages of a program | [`Pipeline`], [`Group`] |
//! | see what a stage does | [`StageStats`], [`Snapshot`] |
//! | ask why nothing moves | [`Pipeline::explain`] |
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `serde` | snapshots and explanations implement `serde::Serialize` |
//! | `metrics` | snapshots can be recorded through the `metrics` facade |
//!
//! # Tracing
//!
//! Every stage runs in a span `stage` with its `name` and `id`. Steps of its
//! life cycle are events at debug level, discarded and rejected events at warn,
//! failures at error. Nothing is traced per event or per batch; a full buffer is
//! traced at its first discarded event and whenever their count has doubled.
//!
//! Most users want the `stages` crate, which re-exports all of this.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod abort;
mod activity;
pub mod builder;
mod co_located;
mod consumer_control;
mod control;
mod current;
mod dead_letter;
mod error;
pub mod explain;
mod group;
pub mod handle;
mod in_span;
mod lifecycle;
mod link;
mod mailbox;
#[cfg(feature = "metrics")]
mod metrics;
pub mod operators;
mod outcome_guard;
mod outcome_watch;
mod outlet;
pub mod per_event;
mod pipeline;
pub mod prelude;
mod producer_control;
pub mod queue;
mod registry;
mod reply;
mod restart;
mod restart_window;
mod run;
mod shared;
mod shed;
pub mod snapshot;
mod stage_control;
mod stage_id;
mod stats;
mod stream;
mod subscription;
mod supervised;

pub use builder::{ConsumerExt, ProducerConsumerExt, ProducerExt};
pub use dead_letter::DeadLetter;
pub use error::{CallError, CastError, Error, SpawnError};
pub use group::RestartStrategy;
pub use handle::{ConsumerHandle, ProducerConsumerHandle, ProducerHandle, StageHandle, StageRef};
pub use per_event::per_event;
pub use pipeline::{DrainError, Group, Pipeline};
pub use queue::queue;
pub use restart::Restart;
pub use shed::{Shed, ShedReason};
pub use snapshot::Snapshot;
pub use stage_id::StageId;
pub use stats::StageStats;
pub use stream::EventStream;
pub use subscription::{IntoSubscription, Subscription};
pub use supervised::supervised;

/// The README: its code is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
