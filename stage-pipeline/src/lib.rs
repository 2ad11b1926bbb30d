//! Acknowledged pipelines on `stages`.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod ack;
mod batch;
mod guarantee;
mod ledger;
mod message;
mod source;
mod step;

pub use ack::{Ack, AckError, Acknowledger, Settled, Token, Verdict};
pub use batch::{BatchHandler, MessageBatch, Trigger};
pub use guarantee::Guarantee;
pub use ledger::Ledger;
pub use message::{Failed, Message, Metadata, TraceContext};
pub use source::{Capabilities, Leases, Next, Source};
pub use step::{Expand, Handler, Transform};
