//! Batches: when one is full, and which ones are open.

mod open;
mod splitter;

pub use open::{OpenBatches, ReadyBatch, Trigger};
pub use splitter::{BatchLimitError, Split, SplitState, Splitter};
