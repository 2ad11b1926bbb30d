//! Batch handlers: how the messages of a batch are settled.

use futures::FutureExt;
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::policy::Retry;
use stage_pipeline::{
    Batcher, Failed, MessageBatch, Step, Verdict, acked, async_batch_handler_fn, batch_handler_fn,
};

use crate::support::{Call, Faults, ended, ms, pass, restarts, within};

#[tokio::test(start_paused = true)]
async fn b106_messages_are_settled_in_one_call_for_each_origin_in_order() {
    let (queues, faults) = (
        [MemoryQueue::new(), MemoryQueue::new()],
        [Faults::new(), Faults::new()],
    );
    for queue in &queues {
        queue.enqueue_all(0..4_u64);
        queue.close();
    }
    let pipeline = acked("numbers")
        .source(faults[0].source(&queues[0]))
        .source(faults[1].source(&queues[1]))
        .retry(Retry::never())
        .step(Step::new("pass").concurrency(1), pass)
        .batcher(Batcher::new("all").size(8).timeout(ms(10)), || {
            batch_handler_fn(|batch: &mut MessageBatch<u64>| {
                assert_eq!(batch.messages.len(), 8);
                for message in &mut batch.messages {
                    if message.data == 2 {
                        message.fail("two");
                    }
                }
                Ok(())
            })
        })
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.acked, ledger.rejected), (6, 2), "{ledger}");
    for faults in &faults {
        let settled: Vec<_> = faults
            .calls()
            .into_iter()
            .filter(|call| matches!(call, Call::Settle(_)))
            .collect();
        let verdicts = [
            (0, Verdict::Ack),
            (1, Verdict::Ack),
            (3, Verdict::Ack),
            (2, Verdict::Reject),
        ];
        assert_eq!(settled, [Call::Settle(verdicts.to_vec())]);
    }
}

#[tokio::test(start_paused = true)]
async fn b107_if_the_batch_handler_fails_or_panics_all_messages_fail_with_the_reason() {
    for (panics, reason) in [
        (false, "no disk"),
        (true, "the batch handler panicked: no disk"),
    ] {
        let queue = MemoryQueue::<u64>::new();
        let pipeline = acked("numbers")
            .source(move || queue.source())
            .retry(Retry::never())
            .step(Step::new("pass").concurrency(1), pass)
            .batcher(Batcher::new("all").size(3).timeout(ms(10)), move || {
                batch_handler_fn(move |batch: &mut MessageBatch<u64>| {
                    if batch.data().any(|number| *number == 0) {
                        if panics {
                            panic!("no disk");
                        }
                        return Err(Failed::new("no disk"));
                    }
                    Ok(())
                })
            })
            .start()
            .unwrap();
        let settled = within(pipeline.test_batch([1, 0, 2])).await;
        for one in settled {
            assert_eq!(
                (one.verdict, one.reason.as_deref()),
                (Verdict::Reject, Some(reason))
            );
        }
        let settled = within(pipeline.test_batch([1, 2, 3])).await;
        assert!(settled.iter().all(|one| one.verdict == Verdict::Ack));
        assert_eq!(restarts(&pipeline), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn b109_if_an_acknowledger_panics_the_batch_handler_lives() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..20_u64);
    queue.close();
    faults.panic_settles(1);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step("pass", pass)
        .batcher(Batcher::new("all").size(5).timeout(ms(10)), || {
            batch_handler_fn(|_: &mut MessageBatch<u64>| Ok(()))
        })
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.acked, ledger.expired), (20, 5), "{ledger}");
    assert_eq!(restarts(&pipeline), 0);
}

#[tokio::test(start_paused = true)]
async fn b110_the_panic_of_a_task_that_a_batch_handler_awaits_fails_the_batch() {
    let queue = MemoryQueue::<u64>::new();
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .retry(Retry::never())
        .step("pass", pass)
        .batcher(Batcher::new("all").timeout(ms(10)), || {
            async_batch_handler_fn(|batch: &mut MessageBatch<u64>| {
                let panics = batch.data().any(|number| *number == 0);
                async move {
                    tokio::spawn(async move { assert!(!panics, "a bug in a task") }).await?;
                    Ok(())
                }
                .boxed()
            })
        })
        .start()
        .unwrap();
    let settled = within(pipeline.test_batch([1, 0])).await;
    for one in settled {
        assert_eq!(one.verdict, Verdict::Reject);
        assert!(one.reason.unwrap().contains("a bug in a task"));
    }
    let settled = within(pipeline.test_batch([1, 2])).await;
    assert!(settled.iter().all(|one| one.verdict == Verdict::Ack));
}
