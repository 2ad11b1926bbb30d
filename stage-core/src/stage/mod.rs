//! The traits a stage implements, and what its handlers are given.

mod consumer;
mod context;
mod emitter;
mod handler;
mod info;
mod producer;
mod producer_consumer;

pub use consumer::Consumer;
pub use context::{Commands, Context};
pub use emitter::Emitter;
pub use handler::Handler;
pub use info::Info;
pub use producer::Producer;
pub use producer_consumer::ProducerConsumer;
