//! Batches: how messages are put together, and what is done with them.

mod handler;
mod trigger;

pub use handler::{BatchHandler, MessageBatch};
pub use trigger::Trigger;
