//! How a stage is built and spawned.
//!
//! `.stage()` on any producer, consumer or producer-consumer starts a builder;
//! `.spawn()` ends it.

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
