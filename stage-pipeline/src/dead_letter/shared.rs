//! [`SharedSink`]: the dead-letter sink of a pipeline, for all its stages.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use futures::future::BoxFuture;
use stages::StageResult;
use stages::protocol::panic_message;
use tokio::sync::Mutex;

use super::{DeadLetter, DeadLetterSink};
use crate::guarantee::Guarantee;

/// A dead-letter sink that all stages of a pipeline share; they wait for one another.
pub(crate) struct SharedSink {
    sink: Box<dyn Erased>,
    pub(crate) guarantee: Guarantee,
}

trait Erased: Send + Sync {
    fn send<'a>(&'a self, letters: &'a mut Vec<DeadLetter>) -> BoxFuture<'a, StageResult>;
}

impl<S: DeadLetterSink> Erased for Mutex<S> {
    fn send<'a>(&'a self, letters: &'a mut Vec<DeadLetter>) -> BoxFuture<'a, StageResult> {
        async move { self.lock().await.send(letters).await }.boxed()
    }
}

impl SharedSink {
    pub(crate) fn new<S: DeadLetterSink>(sink: S) -> Self {
        Self {
            guarantee: S::GUARANTEE,
            sink: Box::new(Mutex::new(sink)),
        }
    }

    pub(crate) async fn send(&self, letters: &mut Vec<DeadLetter>) -> StageResult {
        let sent = AssertUnwindSafe(self.sink.send(letters))
            .catch_unwind()
            .await;
        sent.unwrap_or_else(|panic| {
            Err(format!("the dead-letter sink panicked: {}", panic_message(&*panic)).into())
        })
    }
}
