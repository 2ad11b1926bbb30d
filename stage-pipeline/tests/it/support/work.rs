//! Handlers that take time, or do as they are told.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use stage_pipeline::{Failed, Handler, Message};

/// A handler that takes so long for each message.
pub(crate) fn taking(time: Duration) -> impl Handler<Data = u64> {
    then(move |_| tokio::time::sleep(time).map(Ok).boxed())
}

/// A handler that awaits what `f` makes of each message.
pub(crate) fn then<F>(f: F) -> Then<F>
where
    F: FnMut(&Message<u64>) -> BoxFuture<'static, Result<(), Failed>> + Send + 'static,
{
    Then(f)
}

pub(crate) struct Then<F>(F);

impl<F> Handler for Then<F>
where
    F: FnMut(&Message<u64>) -> BoxFuture<'static, Result<(), Failed>> + Send + 'static,
{
    type Data = u64;

    async fn handle(&mut self, message: &mut Message<u64>) -> Result<(), Failed> {
        (self.0)(message).await
    }
}
