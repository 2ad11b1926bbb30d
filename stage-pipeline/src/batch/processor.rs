//! [`BatchProcessor`]: the stage that runs a batch handler.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use stages::prelude::*;
use stages::protocol::panic_message;

use super::{BatchHandler, MessageBatch};
use crate::ack::{Settlements, Verdict};
use crate::message::{Failed, Message};
use crate::run::Shared;

/// Makes a batch handler: for each of its stages, and again after a panic.
pub(crate) type MakeBatchHandler<H> = Arc<dyn Fn() -> H + Send + Sync>;

/// A stage that handles batches, and settles their messages.
pub(crate) struct BatchProcessor<H: BatchHandler> {
    handler: H,
    make: MakeBatchHandler<H>,
    shared: Arc<Shared>,
    batcher: Arc<str>,
    failed: Vec<Message<H::Data>>,
    settlements: Settlements,
}

impl<H: BatchHandler> BatchProcessor<H> {
    pub(crate) fn new(make: MakeBatchHandler<H>, shared: Arc<Shared>, batcher: Arc<str>) -> Self {
        let handler = make();
        Self {
            handler,
            make,
            shared,
            batcher,
            failed: Vec::new(),
            settlements: Settlements::default(),
        }
    }

    async fn handle(&mut self, mut batch: MessageBatch<H::Data>) {
        if self.shared.ordered {
            self.release_behind(&mut batch.messages);
        }
        if !batch.messages.is_empty() {
            for message in &mut batch.messages {
                message.ack.set_tried();
            }
            let handled = AssertUnwindSafe(async { self.handler.handle_batch(&mut batch).await });
            let failure = match handled.catch_unwind().await {
                Ok(Ok(())) => None,
                Ok(Err(failed)) => Some(failed),
                Err(panic) => Some(self.panicked(&*panic)),
            };
            self.settle(batch.messages, failure).await;
        }
        // What an origin does not take, it delivers again; `send` has traced it.
        let _ = self.settlements.send().await;
    }

    async fn settle(&mut self, messages: Vec<Message<H::Data>>, failure: Option<Failed>) {
        let mut handled = Vec::new();
        for mut message in messages {
            if let Some(failure) = &failure
                && message.failure().is_none()
            {
                message.fail(failure.clone());
            }
            if message.failure().is_some() {
                self.failed.push(message);
            } else if self.shared.ordered {
                handled.push(message);
            } else {
                self.settlements.push(message.ack, Verdict::Ack, None);
            }
        }
        self.settle_failed().await;
        for message in handled {
            // It was handled after a message of its key that failed, and comes again after it.
            let behind = self.shared.is_behind(&message);
            let verdict = if behind {
                Verdict::Release
            } else {
                Verdict::Ack
            };
            self.settlements.push(message.ack, verdict, None);
        }
    }

    async fn settle_failed(&mut self) {
        if self.failed.is_empty() {
            return;
        }
        let failed = self.failed.as_mut_slice();
        let telling = AssertUnwindSafe(async { self.handler.handle_failed(failed).await });
        if let Err(panic) = telling.catch_unwind().await {
            // Not in the macro, which evaluates nothing that is not traced.
            let failed = self.panicked(&*panic);
            tracing::error!(batcher = %self.batcher, "handle_failed: {failed}");
        }
        self.shared
            .settle_failed(&mut self.failed, &mut self.settlements, &self.batcher)
            .await;
    }

    /// Releases the messages whose key has a failed message before them.
    fn release_behind(&mut self, messages: &mut Vec<Message<H::Data>>) {
        for message in messages.extract_if(.., |message| self.shared.is_behind(message)) {
            self.settlements.push(message.ack, Verdict::Release, None);
        }
    }

    /// The handler may be in any state after a panic: another one takes its place.
    fn panicked(&mut self, panic: &(dyn std::any::Any + Send)) -> Failed {
        self.handler = (self.make)();
        Failed::new(format!(
            "the batch handler panicked: {}",
            panic_message(panic)
        ))
    }
}

impl<H: BatchHandler> Consumer for BatchProcessor<H> {
    type Event = MessageBatch<H::Data>;

    async fn handle_events(
        &mut self,
        batches: &mut Batch<MessageBatch<H::Data>>,
        _: &mut Context<'_>,
    ) -> StageResult {
        while let Some(batch) = batches.pop_front() {
            self.handle(batch).await;
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.failed.len()
    }
}
