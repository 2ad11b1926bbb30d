//! Acknowledged pipelines on `stages`.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod ack;
pub mod batch;
mod build;
mod dead_letter;
mod guarantee;
mod ledger;
pub mod memory;
mod message;
pub mod policy;
mod run;
mod source;
mod step;

pub use ack::{Ack, AckError, Acknowledger, Settled, Token, Verdict};
pub use batch::{
    AsyncBatchHandlerFn, BatchHandler, BatchHandlerFn, MessageBatch, Trigger,
    async_batch_handler_fn, batch_handler_fn,
};
pub use build::{Acked, AckedBatchers, AckedSteps, Batcher, Step, acked};
pub use dead_letter::{DeadLetter, DeadLetterSink, TraceDeadLetters};
pub use guarantee::Guarantee;
pub use ledger::Ledger;
pub use message::{Failed, Message, Metadata, TraceContext};
pub use run::{
    AckedPipeline, BuildError, Edge, Guarantees, OriginReport, ResizeError, UndrainedError,
};
pub use source::{Capabilities, Leases, Next, Source};
pub use step::{
    AsyncHandlerFn, AsyncTransformFn, Expand, ExpandFn, Handler, HandlerFn, Transform, TransformFn,
    async_handler_fn, async_transform_fn, expand_fn, handler_fn, transform_fn,
};
