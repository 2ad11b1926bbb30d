//! Handlers that settle messages themselves.

use futures::FutureExt;
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{
    Batcher, Message, MessageBatch, Step, Verdict, acked, async_batch_handler_fn, handler_fn,
};

use crate::support::{Faults, Log, batches, ended, ms};

#[tokio::test(start_paused = true)]
async fn b080_a_message_that_a_step_finishes_is_acked_once_and_goes_no_further() {
    let (queue, faults, seen) = (MemoryQueue::new(), Faults::new(), Log::default());
    queue.enqueue_all(0..6_u64);
    queue.close();
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("filter").concurrency(1), || {
            handler_fn(|message: &mut Message<u64>| {
                if message.data.is_multiple_of(2) {
                    message.finish();
                }
                Ok(())
            })
        })
        .batcher(Batcher::new("all").size(10), batches(&seen))
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.leased, ledger.acked), (6, 6), "{ledger}");
    assert_eq!(seen.all()[0].data, [1, 3, 5]);
    let acked = |id| (id, Verdict::Ack);
    assert_eq!(faults.verdicts(), [0, 2, 4, 1, 3, 5].map(acked));
}

#[tokio::test(start_paused = true)]
async fn b081_messages_that_a_batch_handler_settles_are_not_settled_again() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..4_u64);
    queue.close();
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("pass").concurrency(1), crate::support::pass)
        .batcher(Batcher::new("all").size(4).timeout(ms(10)), || {
            async_batch_handler_fn(|batch: &mut MessageBatch<u64>| {
                let own: Vec<_> = batch
                    .messages
                    .extract_if(.., |message| message.data < 2)
                    .collect();
                async move {
                    for message in own {
                        let verdict = match message.data {
                            0 => Verdict::Ack,
                            _ => Verdict::Reject,
                        };
                        message.into_parts().2.settle(verdict).await?;
                    }
                    Ok(())
                }
                .boxed()
            })
        })
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.acked, ledger.rejected), (3, 1), "{ledger}");
    assert_eq!(
        faults.verdicts(),
        [
            (0, Verdict::Ack),
            (1, Verdict::Reject),
            (2, Verdict::Ack),
            (3, Verdict::Ack),
        ]
    );
}
