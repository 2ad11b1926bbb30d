//! Steps: what is done with each message.

mod closures;
mod handler;
mod process;
mod processor;

pub use closures::{
    AsyncHandlerFn, AsyncTransformFn, ExpandFn, HandlerFn, TransformFn, async_handler_fn,
    async_transform_fn, expand_fn, handler_fn, transform_fn,
};
pub use handler::{Expand, Handler, Transform};

pub(crate) use process::{Expanding, InPlace, Process, Transforming};
pub(crate) use processor::{Assign, LastProcessor, Make, Processor};
