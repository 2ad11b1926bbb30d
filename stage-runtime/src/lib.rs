//! The tokio shell of `stages`: the tasks, links and handles that run the
//! protocol of `stage-core`.
//!
//! | to | look at |
//! |---|---|
//! | build and spawn a stage | [`ProducerExt::stage`], [`ConsumerExt::stage`], [`ProducerConsumerExt::stage`] |
//! | say what to subscribe to | [`Subscription`], [`IntoSubscription`] |
//! | reach a running stage | [`StageHandle`], [`StageRef`] |
//! | make a stage of a closure | [`from_iter`], [`from_fn`], [`unfold`], [`from_stream`], [`from_channel`], [`map`], [`filter_map`], [`flat_map`], [`chunks_timeout`], [`for_each`], [`for_each_ref`], [`fold`] |
//! | run a task for every event | [`per_event`], [`per_event_with`] |
//! | read a producer as a stream | [`Subscription::into_stream`] |
//! | have a stage start over when it fails | [`supervised`], [`Restart`] |
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
//! life are events at debug level, discarded and rejected events at warn,
//! failures at error. Nothing is traced per event or per batch.
//!
//! Most users want the `stages` crate, which re-exports all of this.
#![forbid(unsafe_code)]

mod abort;
mod activity;
mod builder;
mod closures;
mod current;
mod dead_letter;
mod desk;
mod error;
mod explain;
mod group;
mod handle;
mod identity;
mod in_span;
mod intensity;
mod link;
mod mailbox;
#[cfg(feature = "metrics")]
mod metrics;
mod one_task;
mod orders;
mod outcome_sender;
mod outcome_watch;
mod outlet_control;
mod per_event;
mod pipeline;
mod registry;
mod reply;
mod restart;
mod run;
mod snapshot;
mod stats;
mod stream;
mod subscription;
mod supervised;

pub mod prelude;

pub use builder::{
    ConsumerBuilder, ConsumerExt, ProducerBuilder, ProducerConsumerBuilder, ProducerConsumerExt,
    ProducerExt,
};
pub use closures::{
    ChunksTimeout, FilterMap, FlatMap, Fold, ForEach, ForEachRef, FromChannel, FromFn, FromIter,
    FromStream, Map, MapInPlace, chunks_timeout, filter_map, flat_map, fold, for_each,
    for_each_ref, from_channel, from_fn, from_iter, from_stream, map, map_in_place, unfold,
};
pub use dead_letter::DeadLetter;
pub use error::{CallError, CastError, Error, SpawnError};
pub use explain::{Awaited, Cause, Explanation, Wait};
pub use group::Strategy;
pub use handle::{
    ConsumerHandle, Emits, Input, Nothing, Output, ProducerConsumerHandle, ProducerHandle,
    StageHandle, StageRef, Takes,
};
pub use per_event::{
    ChildCounts, ChildId, ChildInfo, ChildRestart, ChildTally, ChildWork, CountChildren,
    ListChildren, PerEvent, PerEventError, Plain, Shutdown, ShutdownSignal, StartChild, StopChild,
    Stopping, WithSignal, per_event, per_event_with,
};
pub use pipeline::{DrainError, Group, Leftover, Pipeline};
pub use restart::Restart;
pub use snapshot::{
    Activity, BottleneckSnapshot, LinkSnapshot, LinkTotals, Party, Snapshot, StageKind,
    StageSnapshot,
};
pub use stats::StageStats;
pub use stream::EventStream;
pub use subscription::{IntoSubscription, Subscription};
pub use supervised::{Supervised, supervised};
