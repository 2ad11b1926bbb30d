//! An embedded durable queue for `stage-pipeline`.
#![forbid(unsafe_code)]
