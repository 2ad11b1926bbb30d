//! Messages for tests, which come from no queue.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::AckedPipeline;
use crate::ack::{Ack, AckError, Acknowledger, Settled, Token, Verdict};
use crate::message::{Message, Metadata};

impl<S: Send + 'static> AckedPipeline<S> {
    /// Sends one message through the pipeline, as if its first source had leased it, and
    /// returns its verdict. Its batch leaves at once. For tests: the message takes no lease
    /// and no permit of the rate limit, and is in no ledger.
    ///
    /// A message that nobody settles is released, for example because the pipeline has
    /// ended.
    ///
    /// ```
    /// use stage_pipeline::memory::MemoryQueue;
    /// use stage_pipeline::{Message, TraceDeadLetters, Verdict, acked, handler_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let queue = MemoryQueue::<i64>::new();
    /// let pipeline = acked("numbers")
    ///     .source(move || queue.source())
    ///     .dead_letters(TraceDeadLetters)
    ///     .step("validate", || {
    ///         handler_fn(|message: &mut Message<i64>| match message.data {
    ///             0.. => Ok(()),
    ///             _ => Err(stage_pipeline::Failed::reject("negative")),
    ///         })
    ///     })
    ///     .start()?;
    /// assert_eq!(pipeline.test_message(1).await.verdict, Verdict::Ack);
    /// assert_eq!(pipeline.test_message(-1).await.verdict, Verdict::Reject);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Source: `Broadway.test_message/3`.
    pub async fn test_message(&self, data: S) -> Settled {
        let mut settled = self.test_messages([(data, Metadata::new())], true).await;
        settled
            .pop()
            .unwrap_or_else(|| Settled::new(Token::new(0, 0), Verdict::Release))
    }

    /// Sends messages through the pipeline, as [`test_message`](Self::test_message) does,
    /// and returns their verdicts in the same order. Their batches leave when they are full
    /// or their timeout has passed.
    ///
    /// Source: `Broadway.test_batch/3`.
    pub async fn test_batch(&self, data: impl IntoIterator<Item = S>) -> Vec<Settled> {
        self.test_messages(data.into_iter().map(|data| (data, Metadata::new())), false)
            .await
    }

    /// Sends messages with metadata through the pipeline, and returns their verdicts in the
    /// same order. With `flush` their batches leave at once.
    pub async fn test_messages(
        &self,
        messages: impl IntoIterator<Item = (S, Metadata)>,
        flush: bool,
    ) -> Vec<Settled> {
        let mut verdicts = Vec::new();
        let messages = messages
            .into_iter()
            .enumerate()
            .map(|(number, (data, metadata))| {
                let (sender, receiver) = oneshot::channel();
                verdicts.push(receiver);
                let tester = Arc::new(Tester(Mutex::new(Some(sender))));
                let ack = Ack::new(tester, Token::new(number as u64, 0));
                let mut message = Message::new(data, metadata, ack);
                message.envelope.flush = flush;
                message
            });
        let messages = messages.collect();
        if let Some(push) = self.pushes().first() {
            push(messages).await;
        }
        let verdicts = join_all(verdicts).await.into_iter().enumerate();
        let lost = |number| Settled::new(Token::new(number as u64, 0), Verdict::Release);
        verdicts
            .map(|(number, verdict)| verdict.unwrap_or_else(|_| lost(number)))
            .collect()
    }
}

/// Tells a test what became of its message.
struct Tester(Mutex<Option<oneshot::Sender<Settled>>>);

impl Tester {
    fn tell(&self, settled: Settled) {
        if let Some(sender) = self.0.lock().take() {
            // The test may have gone.
            let _ = sender.send(settled);
        }
    }
}

impl Acknowledger for Tester {
    fn settle<'a>(&'a self, settled: &'a mut [Settled]) -> BoxFuture<'a, Result<(), AckError>> {
        for one in settled {
            self.tell(one.clone());
        }
        async { Ok(()) }.boxed()
    }

    fn abandon(&self, settled: Settled) {
        self.tell(settled);
    }

    fn name(&self) -> Arc<str> {
        "test".into()
    }
}
