//! Acknowledged pipelines on [`stages`]: messages are leased from a source, handled by
//! steps, put together by batchers, and settled one by one.
//!
//! [`acked`] begins a pipeline and has an example. The guide's chapter "Acknowledged
//! pipelines" builds one step by step.
//!
//! | to | look at |
//! |---|---|
//! | build a pipeline | [`acked`], [`Acked`], [`AckedSteps`], [`AckedBatchers`] |
//! | handle a message | [`Handler`], [`Transform`], [`Expand`], [`handler_fn`] |
//! | handle a batch | [`BatchHandler`], [`batch_handler_fn`], [`Batcher`] |
//! | say what becomes of a message that failed | [`Failed`], [`policy::Retry`], [`DeadLetterSink`] |
//! | limit the rate | [`policy::RateLimit`], [`policy::KeyedRateLimit`] |
//! | keep order | [`Acked::partition_by`], [`Acked::ordered_by_key`] |
//! | know what is guaranteed | [`Guarantee`], [`AckedPipeline::guarantees`], [`Acked::require`] |
//! | end, resize, observe a pipeline | [`AckedPipeline`] |
//! | test one | [`AckedPipeline::test_message`], [`memory::MemoryQueue`] |
//! | read from a queue or a broker of your own | [`Source`], [`Acknowledger`] |
//! | read from a log, which is acknowledged up to an offset | [`ack::LowWaterMark`] |
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `metrics` | the ledger can be recorded through the `metrics` facade |
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod ack;
pub mod batch;
mod build;
mod clock;
mod dead_letter;
mod guarantee;
mod ledger;
pub mod memory;
mod message;
#[cfg(feature = "metrics")]
mod metrics;
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
    AckedPipeline, BuildError, Edge, Guarantees, OriginReport, ResizeError, RunError,
    UndrainedError,
};
pub use source::{Capabilities, Leases, Next, Source};
pub use step::{
    AsyncHandlerFn, AsyncTransformFn, Expand, ExpandFn, Handler, HandlerFn, Transform, TransformFn,
    async_handler_fn, async_transform_fn, expand_fn, handler_fn, transform_fn,
};

/// The Markdown about this crate: its code is compiled and run with the tests.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../../docs/guide/acked.md")]
    mod guide_acked {}
    #[doc = include_str!("../../docs/broadway.md")]
    mod broadway {}
}
