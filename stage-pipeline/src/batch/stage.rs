//! [`BatcherStage`]: the stage that puts messages together.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use stages::prelude::*;
use stages::protocol::panic_message;

use super::handler::MessageBatch;
use super::open::{OpenBatches, ReadyBatch};
use crate::clock::{after, now};
use crate::message::Message;

/// The stage of a batcher: messages in, batches out.
pub(crate) struct BatcherStage<T> {
    name: Arc<str>,
    open: OpenBatches<Message<T>, Option<Arc<str>>>,
    /// The number of batch handlers, between which partitions are divided.
    partitions: usize,
    /// When the timer runs out that is set.
    armed: Option<Instant>,
    /// Batches that are complete, on their way to the emitter.
    ready: Vec<ReadyBatch<Message<T>, Option<Arc<str>>>>,
}

impl<T: Send + 'static> BatcherStage<T> {
    pub(crate) fn new(
        name: Arc<str>,
        open: OpenBatches<Message<T>, Option<Arc<str>>>,
        partitions: usize,
    ) -> Self {
        Self {
            name,
            open,
            partitions,
            armed: None,
            ready: Vec::new(),
        }
    }

    /// Puts messages into open batches. If the splitter panics, its message is dropped,
    /// which is a retry, and those before and after it are as they were.
    fn gather(&mut self, now: Instant, messages: &mut Batch<Message<T>>) {
        for message in messages {
            let key = message.shared_batch_key();
            let partition = message.envelope.partition as usize % self.partitions;
            let flush = message.envelope.flush;
            self.open
                .push(now, key, partition, message, flush, &mut self.ready);
        }
    }

    fn emit(&mut self, out: &mut Emitter<'_, MessageBatch<T>>) {
        for ReadyBatch {
            key,
            partition,
            items,
            trigger,
            ..
        } in self.ready.drain(..)
        {
            out.push(MessageBatch {
                messages: items,
                batcher: Arc::clone(&self.name),
                key,
                partition,
                trigger,
            });
        }
    }

    /// Emits what is complete and what is due, and sets the timer for the oldest batch
    /// that stays. The timer is not taken back when that batch leaves early: it runs out
    /// before the next one is due, and is set again.
    fn rest(&mut self, now: Instant, out: &mut Emitter<'_, MessageBatch<T>>) {
        self.open.due(now, &mut self.ready);
        self.emit(out);
        let Some(due) = self.open.next_due(now) else {
            return;
        };
        let end = after(now, due);
        if self.armed.is_none_or(|armed| armed <= now || armed > end) {
            self.armed = Some(end);
            out.wake_after(due);
        }
        out.waits_for("its timeout", due);
    }
}

impl<T: Send + 'static> ProducerConsumer for BatcherStage<T> {
    type In = Message<T>;
    type Out = MessageBatch<T>;

    async fn handle_events(
        &mut self,
        messages: &mut Batch<Message<T>>,
        out: &mut Emitter<'_, MessageBatch<T>>,
    ) -> StageResult {
        let now = now();
        while !messages.is_empty() {
            let gathering = AssertUnwindSafe(|| self.gather(now, messages));
            if let Err(panic) = catch_unwind(gathering) {
                let reason = panic_message(&*panic);
                tracing::error!(batcher = %self.name, "the splitter panicked, and its message is retried: {reason}");
            }
        }
        self.rest(now, out);
        Ok(())
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, MessageBatch<T>>) -> StageResult {
        self.rest(now(), out);
        Ok(())
    }

    async fn handle_complete(&mut self, out: &mut Emitter<'_, MessageBatch<T>>) -> StageResult {
        self.open.end(&mut self.ready);
        self.emit(out);
        Ok(())
    }

    fn held(&self) -> usize {
        self.open.len()
    }
}
