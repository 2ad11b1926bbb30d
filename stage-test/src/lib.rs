//! Tests for stages and dispatchers of your own.
//!
//! | to | look at |
//! |---|---|
//! | hold a dispatcher to its contract | [`conformance`] |
//! | compare with what GenStage did | [`traces`], [`replay`] |
//!
//! Everything here panics when a rule is broken: it is made to be called from
//! tests.

pub mod conformance;
#[cfg(feature = "runtime")]
pub mod probe;
mod replay;
pub mod traces;

pub use replay::replay;
