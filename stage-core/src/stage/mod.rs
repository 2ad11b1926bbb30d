//! The traits that a stage implements, and the arguments of its handlers.

mod command;
mod consumer;
mod context;
mod emitter;
mod handler;
mod info;
mod producer;
mod producer_consumer;

pub use command::{Command, Commands};
pub use consumer::Consumer;
pub use context::Context;
pub use emitter::Emitter;
pub use handler::Handler;
pub use info::Info;
pub use producer::Producer;
pub use producer_consumer::ProducerConsumer;
