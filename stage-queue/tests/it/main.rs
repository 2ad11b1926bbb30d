//! Tests of the queue, over real files.

mod basics;
mod bounds;
mod ordered;
mod pipeline;
mod support;
