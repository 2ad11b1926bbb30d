//! The tests, in one binary.
#![allow(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod broadway;
mod flow;
mod key_rates;
#[cfg(feature = "metrics")]
mod metrics;
mod mutants;
mod pure;
mod reports;
mod retries;
mod support;
