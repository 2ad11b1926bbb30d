//! Steps: what is done with each message.

mod handler;

pub use handler::{Expand, Handler, Transform};
