//! The tokio shell of `stages`: the tasks, links and handles that run the
//! protocol of `stage-core`.
//!
//! | to | look at |
//! |---|---|
//! | build and spawn a stage | [`ProducerExt::stage`], [`ConsumerExt::stage`], [`ProducerConsumerExt::stage`] |
//! | say what to subscribe to | [`Subscription`], [`IntoSubscription`] |
//! | reach a running stage | [`StageHandle`], [`StageRef`] |
//! | make a stage of a closure | [`from_iter`], [`from_fn`], [`unfold`], [`from_stream`], [`from_channel`], [`map`], [`filter_map`], [`flat_map`], [`for_each`], [`fold`] |
//! | run a task for every event | [`per_event`], [`per_event_with`] |
//! | read a producer as a stream | [`Subscription::into_stream`] |
//! | see what a stage does | [`StageStats`] |
//!
//! # Tracing
//!
//! Every stage runs in a span `stage` with its `name` and `id`. Steps of its
//! life are events at debug level, discarded and rejected events at warn,
//! failures at error. Nothing is traced per event or per batch.
//!
//! Most users want the `stages` crate, which re-exports all of this.

mod builder;
mod closures;
mod error;
mod handle;
mod identity;
mod link;
mod mailbox;
mod outlet_control;
mod per_event;
mod reply;
mod run;
mod snapshot;
mod stats;
mod stream;
mod subscription;

pub mod prelude;

pub use builder::{
    ConsumerBuilder, ConsumerExt, ProducerBuilder, ProducerConsumerBuilder, ProducerConsumerExt,
    ProducerExt,
};
pub use closures::{
    FilterMap, FlatMap, Fold, ForEach, FromChannel, FromFn, FromIter, FromStream, Map, filter_map,
    flat_map, fold, for_each, from_channel, from_fn, from_iter, from_stream, map, unfold,
};
pub use error::{CallError, CastError, Error, SpawnError};
pub use handle::{
    ConsumerHandle, Emits, Input, Nothing, Output, ProducerConsumerHandle, ProducerHandle,
    StageHandle, StageRef, Takes,
};
pub use per_event::{
    ChildCounts, ChildId, ChildInfo, ChildRestart, ChildTally, ChildWork, CountChildren,
    ListChildren, PerEvent, PerEventError, Plain, Shutdown, ShutdownSignal, StartChild, StopChild,
    Stopping, WithSignal, per_event, per_event_with,
};
pub use snapshot::{
    Activity, BottleneckSnapshot, LinkSnapshot, LinkTotals, Party, Snapshot, StageSnapshot,
};
pub use stats::StageStats;
pub use stream::EventStream;
pub use subscription::{IntoSubscription, Subscription};
