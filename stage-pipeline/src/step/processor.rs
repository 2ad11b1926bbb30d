//! [`Processor`]: the stage that runs a step.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use stages::prelude::*;
use stages::protocol::panic_message;
use tracing::Instrument;

use super::process::Process;
use crate::ack::{Settlements, Verdict};
use crate::message::{Failed, Message};
use crate::run::Shared;

/// Makes the handler of a step: for each of its stages, and again after a panic.
pub(crate) type Make<P> = Arc<dyn Fn() -> P + Send + Sync>;

/// Prepares a message for the stage that comes next; an error fails it.
pub(crate) type Assign<T> = Arc<dyn Fn(&mut Message<T>) -> Result<(), Failed> + Send + Sync>;

/// A stage of a step: handles messages one by one, settles those that fail, and emits the
/// others.
pub(crate) struct Processor<P: Process> {
    process: P,
    make: Make<P>,
    shared: Arc<Shared>,
    step: Arc<str>,
    assign: Option<Assign<P::Out>>,
    failed: Vec<Message<P::In>>,
    unroutable: Vec<Message<P::Out>>,
    settlements: Settlements,
}

impl<P: Process> Processor<P> {
    pub(crate) fn new(
        make: Make<P>,
        shared: Arc<Shared>,
        step: Arc<str>,
        assign: Option<Assign<P::Out>>,
    ) -> Self {
        Self {
            process: make(),
            make,
            shared,
            step,
            assign,
            failed: Vec::new(),
            unroutable: Vec::new(),
            settlements: Settlements::default(),
        }
    }

    /// Handles all messages of a batch; those that go on are put into `out`.
    async fn handle_all(
        &mut self,
        messages: &mut Batch<Message<P::In>>,
        out: &mut Vec<Message<P::Out>>,
    ) {
        if let Err(failed) = self.prepare(messages.as_mut_slice()).await {
            while let Some(mut message) = messages.pop_front() {
                message.fail(failed.clone());
                self.failed.push(message);
            }
        }
        let begin = out.len();
        while !messages.is_empty() {
            // One for all messages, because it costs: a message stays in its batch while it
            // is handled, so after a panic it is the first.
            let running = AssertUnwindSafe(self.run(messages, out))
                .catch_unwind()
                .await;
            if let Err(panic) = running {
                // It fails before anything else can: it must not come to the next state of
                // this stage, if there is no other handler.
                if let Some(mut message) = messages.pop_front() {
                    message.fail(panicked(&*panic));
                    self.failed.push(message);
                }
                self.process = (self.make)();
                self.keep_order().await;
            }
        }
        self.assign_from(begin, out);
        self.settle_failed().await;
        if !self.settlements.is_empty() {
            // What an origin does not take, it delivers again; `send` has traced it.
            let _ = self.settlements.send().await;
        }
    }

    /// Handles messages until none is left, or the handler panics.
    async fn run(&mut self, messages: &mut Batch<Message<P::In>>, out: &mut Vec<Message<P::Out>>) {
        while let Some(message) = messages.as_mut_slice().first_mut() {
            let behind = self.shared.is_behind(message);
            let handled = if behind {
                None
            } else {
                message.ack.set_tried();
                Some(self.attempt(message).await)
            };
            let Some(mut message) = messages.pop_front() else {
                break;
            };
            match handled {
                None => self.settlements.push(message.ack, Verdict::Release, None),
                Some(Ok(_)) if message.failure().is_some() => self.failed.push(message),
                Some(Ok(_)) if message.envelope.finished => {
                    self.settlements.push(message.ack, Verdict::Ack, None);
                }
                Some(Ok(made)) => {
                    if let Some(message) = P::emit(message, made, out) {
                        self.settlements.push(message.ack, Verdict::Ack, None);
                    }
                }
                Some(Err(failed)) => {
                    message.fail(failed);
                    self.failed.push(message);
                }
            }
            if !self.failed.is_empty() {
                self.keep_order().await;
            }
        }
    }

    /// Decides at once what becomes of a failed message, where those behind it in the same
    /// batch have to know.
    async fn keep_order(&mut self) {
        if self.shared.ordered {
            self.settle_failed().await;
        }
    }

    /// Makes what was emitted since `begin` ready for the next stage.
    fn assign_from(&mut self, mut begin: usize, out: &mut Vec<Message<P::Out>>) {
        let Some(assign) = &self.assign else { return };
        while let Some(message) = out.get_mut(begin) {
            if let Err(failed) = assign(message) {
                message.fail(failed);
                self.unroutable.push(out.remove(begin));
            } else {
                begin += 1;
            }
        }
    }

    async fn prepare(&mut self, messages: &mut [Message<P::In>]) -> Result<(), Failed> {
        let preparing = AssertUnwindSafe(async { self.process.prepare(messages).await });
        match preparing.catch_unwind().await {
            Ok(prepared) => prepared,
            Err(panic) => {
                self.process = (self.make)();
                Err(panicked(&*panic))
            }
        }
    }

    /// Tries the message as often as the policy allows within one delivery.
    async fn attempt(&mut self, message: &mut Message<P::In>) -> Result<P::Made, Failed> {
        let attempts = self.shared.retry.attempts_in_place();
        let mut attempt = 1;
        loop {
            let failed = match self.once(message).await {
                Ok(made) => return Ok(made),
                Err(failed) => failed,
            };
            if attempt >= attempts || failed.verdict().is_some() {
                return Err(failed);
            }
            tokio::time::sleep(self.shared.retry.delay(attempt)).await;
            attempt += 1;
        }
    }

    async fn once(&mut self, message: &mut Message<P::In>) -> Result<P::Made, Failed> {
        match message.span().cloned() {
            None => self.process.process(message).await,
            Some(span) => self.process.process(message).instrument(span).await,
        }
    }

    async fn settle_failed(&mut self) {
        if !self.failed.is_empty() {
            let failed = self.failed.as_mut_slice();
            let telling = AssertUnwindSafe(async { self.process.handle_failed(failed).await });
            if let Err(panic) = telling.catch_unwind().await {
                tracing::error!(step = %self.step, "handle_failed: {}", panicked(&*panic));
                self.process = (self.make)();
            }
            self.shared
                .settle_failed(&mut self.failed, &mut self.settlements, &self.step)
                .await;
        }
        if !self.unroutable.is_empty() {
            self.shared
                .settle_failed(&mut self.unroutable, &mut self.settlements, &self.step)
                .await;
        }
    }
}

/// What a message fails with whose handler panicked. The handler may be in any state then:
/// another one takes its place.
fn panicked(panic: &(dyn Any + Send)) -> Failed {
    Failed::new(format!("the handler panicked: {}", panic_message(panic)))
}

impl<P: Process> ProducerConsumer for Processor<P> {
    type In = Message<P::In>;
    type Out = Message<P::Out>;

    async fn handle_events(
        &mut self,
        messages: &mut Batch<Message<P::In>>,
        out: &mut Emitter<'_, Message<P::Out>>,
    ) -> StageResult {
        self.handle_all(messages, out.as_mut_vec()).await;
        Ok(())
    }

    fn held(&self) -> usize {
        self.failed.len() + self.unroutable.len()
    }
}

/// A stage of the last step of a pipeline without batchers: what is handled is
/// acknowledged.
pub(crate) struct LastProcessor<P: Process> {
    processor: Processor<P>,
    handled: Vec<Message<P::Out>>,
}

impl<P: Process> LastProcessor<P> {
    pub(crate) const fn new(processor: Processor<P>) -> Self {
        Self {
            processor,
            handled: Vec::new(),
        }
    }
}

impl<P: Process> Consumer for LastProcessor<P> {
    type Event = Message<P::In>;

    async fn handle_events(
        &mut self,
        messages: &mut Batch<Message<P::In>>,
        _: &mut Context<'_>,
    ) -> StageResult {
        self.processor.handle_all(messages, &mut self.handled).await;
        for message in self.handled.drain(..) {
            self.processor
                .settlements
                .push(message.ack, Verdict::Ack, None);
        }
        let _ = self.processor.settlements.send().await;
        Ok(())
    }

    fn held(&self) -> usize {
        self.processor.failed.len() + self.handled.len()
    }
}
