//! Messages for tests.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{
    Ack, AckError, AckedPipeline, Acknowledger, Failed, Message, Metadata, Settled, Token, Verdict,
    acked, handler_fn,
};

use crate::support::{Log, within};

/// Keeps what each message says of itself.
fn reading(read: &Log<(u64, Option<String>, usize)>) -> AckedPipeline<u64> {
    let (queue, read) = (MemoryQueue::new(), read.clone());
    acked("numbers")
        .source(move || queue.source())
        .step("read", move || {
            let read = read.clone();
            handler_fn(move |message: &mut Message<u64>| {
                let metadata = message.metadata();
                let key = metadata.key().map(str::to_owned);
                read.push((message.data, key, metadata.headers().len()));
                match message.data {
                    0 => Err(Failed::reject("none")),
                    _ => Ok(()),
                }
            })
        })
        .start()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn b046_a_test_message_has_the_metadata_that_it_was_given() {
    let read = Log::default();
    let pipeline = reading(&read);
    let metadata = Metadata::new()
        .with_key("lisbon")
        .with_header("type", "order");
    within(pipeline.test_messages([(1, metadata)], true)).await;
    assert_eq!(read.all(), [(1, Some("lisbon".to_owned()), 1)]);
}

#[tokio::test(start_paused = true)]
async fn b047_a_test_message_has_no_metadata_by_default() {
    let read = Log::default();
    let pipeline = reading(&read);
    within(pipeline.test_message(1)).await;
    assert_eq!(read.all(), [(1, None, 0)]);
}

#[derive(Default)]
struct Own(Log<Settled>);

impl Acknowledger for Own {
    fn settle<'a>(&'a self, settled: &'a mut [Settled]) -> BoxFuture<'a, Result<(), AckError>> {
        settled.iter().for_each(|one| self.0.push(one.clone()));
        async { Ok(()) }.boxed()
    }

    fn abandon(&self, settled: Settled) {
        self.0.push(settled);
    }
}

#[tokio::test(start_paused = true)]
async fn b048_a_message_is_built_with_any_acknowledger() {
    let own = Arc::new(Own::default());
    let message = |id| {
        let acknowledger = Arc::clone(&own) as Arc<dyn Acknowledger>;
        Message::new(
            id,
            Metadata::new(),
            Ack::new(acknowledger, Token::new(id, 0)),
        )
    };
    let (_, _, ack) = message(1).into_parts();
    ack.settle(Verdict::Reject).await.unwrap();
    drop(message(2));
    let (_, _, mut tried) = message(3).into_parts();
    tried.set_tried();
    drop(tried);
    let merged = Message::merge(vec![message(4), message(5)], "both").unwrap();
    merged.into_parts().2.settle(Verdict::Ack).await.unwrap();
    let settled = own.0.all();
    let verdicts: Vec<_> = settled
        .iter()
        .map(|one| (one.token.id, one.verdict))
        .collect();
    let later = std::time::Duration::from_millis(100);
    assert_eq!(
        verdicts,
        [
            (1, Verdict::Reject),
            (2, Verdict::Release),
            (3, Verdict::Retry(later)),
            (4, Verdict::Ack),
            (5, Verdict::Ack),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn b049_a_test_gets_the_verdicts_in_the_order_of_its_messages() {
    let pipeline = reading(&Log::default());
    let settled = within(pipeline.test_batch([1, 0, 2])).await;
    let verdicts: Vec<_> = settled.iter().map(|one| one.verdict).collect();
    assert_eq!(verdicts, [Verdict::Ack, Verdict::Reject, Verdict::Ack]);
    assert_eq!(settled[1].reason.as_deref(), Some("none"));
}
