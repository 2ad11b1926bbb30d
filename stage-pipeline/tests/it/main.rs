//! The tests, in one binary.
#![allow(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod flow;
mod pure;
