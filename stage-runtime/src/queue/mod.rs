//! A queue that is pushed into, and the producer that reads it: for events that
//! come at times of their own, from any thread.
//!
//! [`queue`] makes both ends. The [`Inlet`] is for the program: `push` never waits,
//! `send` waits for room, and neither needs a runtime. [`FromQueue`] is the producer.
//!
//! ```
//! use stage_runtime::operators::fold;
//! use stage_runtime::prelude::*;
//! use stage_runtime::queue::{Pushed, WhenFull, QueueOptions, queue};
//! use stage_core::Bound;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The newest three readings; older ones are shed.
//! let newest = QueueOptions::new(Bound::Events(3)).when_full(WhenFull::DropOldest);
//! let (inlet, readings) = queue(newest);
//! for reading in 0..10_u64 {
//!     let pushed = inlet.push(reading);
//!     assert!(matches!(pushed, Pushed::Stored | Pushed::Shed(_)));
//! }
//! assert_eq!(inlet.counts().shed, 7);
//! inlet.finish();
//!
//! let readings = readings.stage().spawn();
//! let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&readings).spawn();
//! assert_eq!(sum.output().await?, 7 + 8 + 9);
//! # Ok(())
//! # }
//! ```
//!
//! # What a full queue does
//!
//! | policy | `push` | `send` |
//! |---|---|---|
//! | [`WhenFull::Wait`] | returns [`Pushed::Full`] with the event | waits for room |
//! | [`WhenFull::DropOldest`] | stores the event and sheds the oldest | does as `push` |
//! | [`WhenFull::DropNewest`] | sheds the event | does as `push` |
//! | [`WhenFull::Detach`] | ends the source as cancelled | does as `push` |
//!
//! # How a queue ends
//!
//! | call | queued events | source |
//! |---|---|---|
//! | [`Inlet::finish`], or all inlets are dropped | are emitted | completes |
//! | [`Inlet::detach`] | are shed | ends as cancelled, with the reason |
//! | the pipeline drains | are emitted | completes |
//! | the source ends, or is dropped before it was spawned | are shed | |
//!
//! From then on a push returns [`Pushed::Gone`] with the event.

mod counts;
mod ends;
mod inlet;
mod options;
mod pushed;
mod reservation;
mod room;
mod shared;
mod sink;
mod source;
mod state;

pub use counts::QueueCounts;
pub use inlet::Inlet;
pub use options::QueueOptions;
pub use pushed::{PushError, Pushed};
pub use sink::QueueSink;
pub(crate) use source::named_queue;
pub use source::{FromQueue, queue};
#[doc(no_inline)]
pub use stage_core::WhenFull;
