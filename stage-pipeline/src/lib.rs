//! Acknowledged pipelines on `stages`.
#![forbid(unsafe_code)]

pub mod ack;
pub mod batch;
pub mod policy;
