//! Tests of the queue, over real files.

mod basics;
mod bounds;
mod child;
mod damage;
mod disk;
mod kill;
mod model;
mod ordered;
mod pipeline;
mod processes;
mod support;
