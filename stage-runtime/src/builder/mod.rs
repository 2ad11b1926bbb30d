//! The builders of stages.
//!
//! `.stage()` on a producer, a consumer or a producer-consumer returns a builder.
//! `.spawn()` on the builder spawns the stage and returns its handle.

mod consumer;
mod ext;
mod producer;
mod producer_consumer;
mod spawn;

pub use consumer::ConsumerBuilder;
pub use ext::{ConsumerExt, ProducerConsumerExt, ProducerExt};
pub use producer::ProducerBuilder;
pub use producer_consumer::ProducerConsumerBuilder;

pub use crate::supervised::Supervised;
