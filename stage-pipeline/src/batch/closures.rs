//! Batch handlers made of closures.

use std::marker::PhantomData;

use futures::future::BoxFuture;

use super::{BatchHandler, MessageBatch};
use crate::message::Failed;

/// Makes a [`BatchHandler`] of a closure.
///
/// ```
/// use stage_pipeline::{MessageBatch, batch_handler_fn};
///
/// let print = batch_handler_fn(|batch: &mut MessageBatch<u64>| {
///     println!("{} numbers", batch.messages.len());
///     Ok(())
/// });
/// # let _ = print;
/// ```
pub fn batch_handler_fn<T, F>(handle: F) -> BatchHandlerFn<T, F>
where
    F: FnMut(&mut MessageBatch<T>) -> Result<(), Failed>,
{
    BatchHandlerFn(handle, PhantomData)
}

/// Made by [`batch_handler_fn`].
#[derive(Debug, Clone)]
pub struct BatchHandlerFn<T, F>(F, PhantomData<fn(T)>);

impl<T, F> BatchHandler for BatchHandlerFn<T, F>
where
    T: Send + 'static,
    F: FnMut(&mut MessageBatch<T>) -> Result<(), Failed> + Send + 'static,
{
    type Data = T;

    async fn handle_batch(&mut self, batch: &mut MessageBatch<T>) -> Result<(), Failed> {
        (self.0)(batch)
    }
}

/// Makes a [`BatchHandler`] of a closure that awaits. It returns a boxed future, because
/// the future borrows the batch.
///
/// ```
/// use futures::FutureExt;
/// use stage_pipeline::{MessageBatch, async_batch_handler_fn};
///
/// let write = async_batch_handler_fn(|batch: &mut MessageBatch<String>| {
///     async move {
///         for message in &mut batch.messages {
///             if message.data.is_empty() {
///                 message.fail("empty");
///             }
///         }
///         tokio::task::yield_now().await;
///         Ok(())
///     }
///     .boxed()
/// });
/// # let _ = write;
/// ```
pub fn async_batch_handler_fn<T, F>(handle: F) -> AsyncBatchHandlerFn<T, F>
where
    F: for<'a> FnMut(&'a mut MessageBatch<T>) -> BoxFuture<'a, Result<(), Failed>>,
{
    AsyncBatchHandlerFn(handle, PhantomData)
}

/// Made by [`async_batch_handler_fn`].
#[derive(Debug, Clone)]
pub struct AsyncBatchHandlerFn<T, F>(F, PhantomData<fn(T)>);

impl<T, F> BatchHandler for AsyncBatchHandlerFn<T, F>
where
    T: Send + 'static,
    F: for<'a> FnMut(&'a mut MessageBatch<T>) -> BoxFuture<'a, Result<(), Failed>> + Send + 'static,
{
    type Data = T;

    async fn handle_batch(&mut self, batch: &mut MessageBatch<T>) -> Result<(), Failed> {
        (self.0)(batch).await
    }
}
