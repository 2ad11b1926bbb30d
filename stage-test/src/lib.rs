//! Test support for user-defined stages and dispatchers.
//!
//! | to | look at |
//! |---|---|
//! | check a dispatcher against its contract | [`conformance`] |
//! | compare with traces recorded from GenStage | [`traces`], [`replay`] |
//!
//! With the feature `runtime`:
//!
//! | to | look at |
//! |---|---|
//! | drive a stage step by step | `probe` |
//! | check that nothing is lost | `assert_settled` |
//!
//! Every check panics when a rule is broken, as tests expect.
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

/// The README: its code is compiled and run with the tests.
#[cfg(all(doctest, feature = "runtime"))]
#[doc = include_str!("../README.md")]
mod readme {}
