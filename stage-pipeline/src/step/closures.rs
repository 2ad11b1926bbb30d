//! Handlers made of closures.

use std::marker::PhantomData;

use futures::future::BoxFuture;

use super::{Expand, Handler, Transform};
use crate::message::{Failed, Message};

/// Makes a [`Handler`] of a closure.
///
/// ```
/// use stage_pipeline::{Message, handler_fn};
///
/// let validate = handler_fn(|message: &mut Message<i64>| {
///     if message.data < 0 {
///         return Err("negative".into());
///     }
///     Ok(())
/// });
/// # let _ = validate;
/// ```
pub fn handler_fn<T, F>(handle: F) -> HandlerFn<T, F>
where
    F: FnMut(&mut Message<T>) -> Result<(), Failed>,
{
    HandlerFn(handle, PhantomData)
}

/// Made by [`handler_fn`].
#[derive(Debug, Clone)]
pub struct HandlerFn<T, F>(F, PhantomData<fn(T)>);

impl<T, F> Handler for HandlerFn<T, F>
where
    T: Send + 'static,
    F: FnMut(&mut Message<T>) -> Result<(), Failed> + Send + 'static,
{
    type Data = T;

    async fn handle(&mut self, message: &mut Message<T>) -> Result<(), Failed> {
        (self.0)(message)
    }
}

/// Makes a [`Handler`] of a closure that awaits. It returns a boxed future, because the
/// future borrows the message: one allocation for each message.
///
/// ```
/// use futures::FutureExt;
/// use stage_pipeline::{Message, async_handler_fn};
///
/// let look_up = async_handler_fn(|message: &mut Message<u64>| {
///     async move {
///         tokio::task::yield_now().await;
///         message.data += 1;
///         Ok(())
///     }
///     .boxed()
/// });
/// # let _ = look_up;
/// ```
pub fn async_handler_fn<T, F>(handle: F) -> AsyncHandlerFn<T, F>
where
    F: for<'a> FnMut(&'a mut Message<T>) -> BoxFuture<'a, Result<(), Failed>>,
{
    AsyncHandlerFn(handle, PhantomData)
}

/// Made by [`async_handler_fn`].
#[derive(Debug, Clone)]
pub struct AsyncHandlerFn<T, F>(F, PhantomData<fn(T)>);

impl<T, F> Handler for AsyncHandlerFn<T, F>
where
    T: Send + 'static,
    F: for<'a> FnMut(&'a mut Message<T>) -> BoxFuture<'a, Result<(), Failed>> + Send + 'static,
{
    type Data = T;

    async fn handle(&mut self, message: &mut Message<T>) -> Result<(), Failed> {
        (self.0)(message).await
    }
}

/// Makes a [`Transform`] of a closure.
///
/// ```
/// use stage_pipeline::{Failed, Message, transform_fn};
///
/// let parse = transform_fn(|message: &mut Message<String>| {
///     message.data.parse::<u64>().map_err(Failed::reject)
/// });
/// # let _ = parse;
/// ```
pub fn transform_fn<T, U, F>(transform: F) -> TransformFn<T, U, F>
where
    F: FnMut(&mut Message<T>) -> Result<U, Failed>,
{
    TransformFn(transform, PhantomData)
}

/// Made by [`transform_fn`].
#[derive(Debug, Clone)]
pub struct TransformFn<T, U, F>(F, PhantomData<fn(T) -> U>);

impl<T, U, F> Transform for TransformFn<T, U, F>
where
    T: Send + 'static,
    U: Send + 'static,
    F: FnMut(&mut Message<T>) -> Result<U, Failed> + Send + 'static,
{
    type In = T;
    type Out = U;

    async fn transform(&mut self, message: &mut Message<T>) -> Result<U, Failed> {
        (self.0)(message)
    }
}

/// Makes a [`Transform`] of a closure that awaits; as [`async_handler_fn`].
pub fn async_transform_fn<T, U, F>(transform: F) -> AsyncTransformFn<T, U, F>
where
    F: for<'a> FnMut(&'a mut Message<T>) -> BoxFuture<'a, Result<U, Failed>>,
{
    AsyncTransformFn(transform, PhantomData)
}

/// Made by [`async_transform_fn`].
#[derive(Debug, Clone)]
pub struct AsyncTransformFn<T, U, F>(F, PhantomData<fn(T) -> U>);

impl<T, U, F> Transform for AsyncTransformFn<T, U, F>
where
    T: Send + 'static,
    U: Send + 'static,
    F: for<'a> FnMut(&'a mut Message<T>) -> BoxFuture<'a, Result<U, Failed>> + Send + 'static,
{
    type In = T;
    type Out = U;

    async fn transform(&mut self, message: &mut Message<T>) -> Result<U, Failed> {
        (self.0)(message).await
    }
}

/// Makes an [`Expand`] of a closure.
///
/// ```
/// use stage_pipeline::{Message, expand_fn};
///
/// let lines = expand_fn(|message: &mut Message<String>| {
///     Ok(message.data.lines().map(str::to_owned).collect())
/// });
/// # let _ = lines;
/// ```
pub fn expand_fn<T, U, F>(expand: F) -> ExpandFn<T, U, F>
where
    F: FnMut(&mut Message<T>) -> Result<Vec<U>, Failed>,
{
    ExpandFn(expand, PhantomData)
}

/// Made by [`expand_fn`].
#[derive(Debug, Clone)]
pub struct ExpandFn<T, U, F>(F, PhantomData<fn(T) -> U>);

impl<T, U, F> Expand for ExpandFn<T, U, F>
where
    T: Send + 'static,
    U: Send + 'static,
    F: FnMut(&mut Message<T>) -> Result<Vec<U>, Failed> + Send + 'static,
{
    type In = T;
    type Out = U;

    async fn expand(&mut self, message: &mut Message<T>) -> Result<Vec<U>, Failed> {
        (self.0)(message)
    }
}
