//! Batches: how messages are put together, and what is done with them.

mod closures;
mod handler;
mod open;
mod processor;
mod splitter;
mod stage;

pub use closures::{AsyncBatchHandlerFn, BatchHandlerFn, async_batch_handler_fn, batch_handler_fn};
pub use handler::{BatchHandler, MessageBatch};
pub use open::{OpenBatches, ReadyBatch, Trigger};
pub use splitter::{BatchLimitError, Split, SplitState, Splitter};

pub(crate) use processor::{BatchProcessor, MakeBatchHandler};
pub(crate) use stage::BatcherStage;
