//! `orders` and `queue` from the outside: their arguments, their output, their exit codes, and
//! the files that they leave.

#![allow(
    clippy::unwrap_used,
    reason = "a test may unwrap: a panic is how it says no"
)]

mod crash;
mod queue;
mod runs;
mod support;
mod usage;
