//! Tests of the queue, over real files.

mod basics;
mod pipeline;
mod support;
