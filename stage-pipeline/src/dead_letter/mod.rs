//! Dead letters: messages that are not delivered any more.

mod shared;
mod sink;

pub use sink::{DeadLetter, DeadLetterSink, TraceDeadLetters};

pub(crate) use shared::SharedSink;
