//! Stages made of an iterator, a stream, a channel or a closure, for what
//! needs no state of its own. One operator, one file.

mod chunks_timeout;
mod filter_map;
mod flat_map;
mod fold;
mod for_each;
mod from_channel;
mod from_fn;
mod from_iter;
mod from_stream;
mod fused;
mod map;
mod map_in_place;

pub use chunks_timeout::{ChunksTimeout, chunks_timeout};
pub use filter_map::{FilterMap, filter_map};
pub use flat_map::{FlatMap, flat_map};
pub use fold::{Fold, fold};
pub use for_each::{ForEach, ForEachRef, for_each, for_each_ref};
pub use from_channel::{FromChannel, from_channel};
pub use from_fn::{FromFn, from_fn};
pub use from_iter::{FromIter, from_iter};
pub use from_stream::{FromStream, from_stream, unfold};
pub use map::{Map, map};
pub use map_in_place::{MapInPlace, map_in_place};
