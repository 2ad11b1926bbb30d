//! Tests of the queue, over real files.
#![allow(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![allow(
    clippy::print_stdout,
    reason = "children tell what they do, and long tests what they found"
)]

mod basics;
mod bounds;
mod child;
mod damage;
mod disk;
mod kill;
mod log_source;
mod logs;
mod model;
mod mutants;
mod ordered;
mod pipeline;
mod processes;
mod reports;
mod support;
