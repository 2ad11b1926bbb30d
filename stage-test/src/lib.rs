//! Tests for stages and dispatchers of your own.
//!
//! | to | look at |
//! |---|---|
//! | hold a dispatcher to its contract | [`conformance`] |
//! | compare with what GenStage did | [`traces`], [`replay`] |
//!
//! With the feature `runtime`:
//!
//! | to | look at |
//! |---|---|
//! | drive a stage step by step | `probe` |
//! | check that nothing is lost | `assert_settled` |
//!
//! Everything here panics when a rule is broken: it is made to be called from
//! tests.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod conformance;
#[cfg(feature = "runtime")]
pub mod probe;
mod replay;
#[cfg(feature = "runtime")]
mod settled;
pub mod traces;

pub use replay::replay;
#[cfg(feature = "runtime")]
pub use settled::assert_settled;
