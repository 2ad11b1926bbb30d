//! Stages made of closures, iterators, streams, channels and sinks, for work that
//! needs no type of its own.
//!
//! | source | emits | completes |
//! |---|---|---|
//! | [`from_iter`] | the items of an iterator | when the iterator ends |
//! | [`from_fn`] | the values that a function returns | when it returns `None` |
//! | [`from_stream`] | the items of a stream | when the stream ends |
//! | [`from_live_stream`] | the items of a stream that is polled whatever the demand | when the stream ends |
//! | [`unfold`] | the values that an async function returns | when it returns `None` |
//! | [`from_channel`] | the values that are sent into a tokio channel | when all senders are dropped |
//!
//! To push events from any thread, with a choice of what a full queue does, use
//! [`queue`](crate::queue()).
//!
//! | step | its closure | emits |
//! |---|---|---|
//! | [`map`] | `FnMut(I) -> O` | one event for each event |
//! | [`try_map`] | `FnMut(I) -> StageResult<O>` | the same, and may fail |
//! | [`map_in_place`] | `FnMut(&mut E)` | every event, changed where it is |
//! | [`inspect`] | `FnMut(&E)` | every event as it is |
//! | [`filter`] | `FnMut(&E) -> bool` | the events for which it returns `true` |
//! | [`filter_map`] | `FnMut(I) -> Option<O>` | the values that it returns in `Some` |
//! | [`flat_map`] | `FnMut(I) -> impl IntoIterator` | all items that it returns |
//! | [`then`] | async `FnMut(I) -> O` | one event for each event, one at a time |
//! | [`try_then`] | async `FnMut(I) -> StageResult<O>` | the same, and may fail |
//! | [`map_concurrent`] | async `FnMut(I) -> O` | one event for each event, several at a time |
//! | [`try_map_concurrent`] | async `FnMut(I) -> StageResult<O>` | the same, and may fail |
//! | [`take`] | | the first events, then it completes |
//! | [`throttle`] | | every event, at a limited rate |
//! | [`chunks_timeout`] | | vectors of events, limited in number and time |
//!
//! | sink | its closure | |
//! |---|---|---|
//! | [`for_each`] | `FnMut(E)` | is called with every event |
//! | [`for_each_ref`] | `FnMut(&E)` | the same, and the stage still owns the event |
//! | [`try_for_each`] | `FnMut(E) -> StageResult` | is called with every event, and may fail |
//! | [`for_each_async`] | async `FnMut(E)` | is awaited with every event, one at a time |
//! | [`try_for_each_async`] | async `FnMut(E) -> StageResult` | the same, and may fail |
//! | [`fold`] | `FnMut(A, E) -> A` | makes one value of all events |
//! | [`forward`] | | sends every event into a [`Sink`](futures::Sink) |
//!
//! # Names
//!
//! A name that begins with `try_` takes a closure that returns a [`StageResult`].
//! Its `Err` ends the stage, or restarts a [supervised](crate::supervised) one, as
//! the `Err` of any handler does. The event it was called with is lost, unless the
//! stage [retains](crate::builder::ConsumerBuilder::retain_taken) it; the events
//! behind it are not.
//!
//! `then`, `map_concurrent` and names that end in `_async` take an async closure.
//! Its stage does nothing else while it awaits. To run a task of its own for every
//! event, use [`per_event`](crate::per_event()).
//!
//! Options are plain numbers. The stage checks them when it is spawned; an option
//! that cannot work is an [`OptionError`].
//!
//! # Files
//!
//! Each operator is one file in `sources`, `steps` or `sinks`. A new one is
//! registered in two places: its folder's `mod.rs` and the table above. `fused`
//! has the methods that chain closures in one stage, such as [`Map::filter_map`].
//!
//! [`StageResult`]: stage_core::StageResult

mod debug;
mod fused;
mod infallible;
mod option_error;
mod sinks;
mod sources;
mod steps;

pub(crate) use debug::debug_as_name;
pub use option_error::OptionError;
pub use sinks::*;
pub use sources::*;
pub use steps::*;
