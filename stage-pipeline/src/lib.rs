//! Acknowledged pipelines on `stages`.
#![forbid(unsafe_code)]
