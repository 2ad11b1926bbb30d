//! Producer-consumers.

mod allowance;
mod chunks_timeout;
mod filter;
mod filter_map;
mod flat_map;
mod inspect;
mod map;
mod map_concurrent;
mod map_in_place;
mod running;
mod take;
mod then;
mod throttle;
mod try_map;

pub use chunks_timeout::{ChunksTimeout, chunks_timeout};
pub use filter::{Filter, filter};
pub use filter_map::{FilterMap, filter_map};
pub use flat_map::{FlatMap, flat_map};
pub use inspect::{Inspect, inspect};
pub use map::{Map, map};
pub use map_concurrent::{MapConcurrent, map_concurrent, try_map_concurrent};
pub use map_in_place::{MapInPlace, map_in_place};
pub use take::{Take, take};
pub use then::{Then, then, try_then};
pub use throttle::{Throttle, throttle};
pub use try_map::{TryMap, try_map};
