//! Which verdict a message gets, and that it gets no other.

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::policy::Retry;
use stage_pipeline::{
    Ack, Batcher, Failed, Message, MessageBatch, Metadata, Step, Token, Trigger, Verdict, acked,
    batch_handler_fn, expand_fn, handler_fn,
};

use super::script::Script;
use crate::support::{Faults, Log, batches, ended, pass, secs, within};

#[tokio::test]
async fn the_worst_verdict_on_a_part_counts_also_if_it_is_not_the_last() {
    let retry = Verdict::Retry(secs(1));
    for verdicts in [
        [Verdict::Reject, retry, Verdict::Ack],
        [retry, Verdict::Reject, Verdict::Release],
        [Verdict::Ack, retry, Verdict::Reject],
    ] {
        let script = Script::new([]);
        let ack = Ack::new(script.acknowledger(), Token::new(7, 1));
        let parts = Message::new(0_u64, Metadata::new(), ack).split(vec![0_u64, 1, 2]);
        for (part, verdict) in parts.unwrap().into_iter().zip(verdicts) {
            assert!(script.verdicts().is_empty());
            part.into_parts().2.settle(verdict).await.unwrap();
        }
        let settled = script.verdicts();
        assert_eq!(settled.len(), 1, "{settled:?}");
        assert_eq!(
            (settled[0].token, settled[0].verdict),
            (Token::new(7, 1), Verdict::Reject)
        );
    }
}

/// The stage that settles is stopped while the first of two origins takes its time.
#[tokio::test(start_paused = true)]
async fn a_rejection_that_was_not_sent_stays_one_and_each_message_is_counted_once() {
    let queues = [MemoryQueue::new(), MemoryQueue::new()];
    let faults = [Faults::new(), Faults::new()];
    queues[0].enqueue(0_u64);
    queues[1].enqueue_all([1, 2]);
    for faults in &faults {
        faults.slow_settles(secs(1_000));
    }
    let pipeline = acked("numbers")
        .source(faults[0].source(&queues[0]))
        .source(faults[1].source(&queues[1]))
        .step("pass", pass)
        .batcher(Batcher::new("all").size(3), || {
            batch_handler_fn(|batch: &mut MessageBatch<u64>| {
                batch
                    .messages
                    .iter_mut()
                    .filter(|message| message.data != 2)
                    .for_each(|message| message.fail(Failed::reject("no")));
                Ok(())
            })
        })
        .start()
        .unwrap();
    tokio::time::sleep(secs(10)).await;
    assert!(within(pipeline.drain(secs(1))).await.is_err());
    let verdicts: Vec<_> = faults.iter().map(Faults::verdicts).collect();
    let sent = verdicts.iter().flatten().filter(|(id, _)| *id == 0);
    assert!(
        sent.clone()
            .all(|(_, verdict)| *verdict != Verdict::Ack && *verdict != Verdict::Release),
        "{verdicts:?}"
    );
    // Of the numbers 0 and 1, whichever origin was second.
    let rejected = verdicts
        .iter()
        .flatten()
        .filter(|(_, verdict)| *verdict == Verdict::Reject);
    assert!(rejected.count() >= 2, "{verdicts:?}");
    let ledger = pipeline.ledger();
    assert_eq!(ledger.leased, 3, "{ledger}");
    assert_eq!(ledger.settled(), 3, "{ledger}");
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_batch_handler_is_not_that_of_a_message_that_failed_before() {
    let script = Script::new((0..3).map(|number| (number, Metadata::new())));
    let source = script.clone();
    let pipeline = acked("numbers")
        .source(move || source.clone())
        .step("pass", pass)
        .batcher(Batcher::new("all").size(3), || {
            batch_handler_fn(|batch: &mut MessageBatch<u64>| {
                let poison = batch.messages.iter_mut().find(|one| one.data == 1);
                poison.unwrap().fail(Failed::reject("no number"));
                Err("the table is locked".into())
            })
        })
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.rejected, ledger.retried), (1, 2), "{ledger}");
    let verdicts = script.verdicts();
    let reasons: Vec<_> = verdicts.iter().map(|one| one.reason.as_deref()).collect();
    let locked = Some("the table is locked");
    assert_eq!(reasons, [locked, Some("no number"), locked]);
    assert_eq!(verdicts[1].verdict, Verdict::Reject);
}

/// A message that ends its process in each delivery fails in none of them.
#[tokio::test(start_paused = true)]
async fn a_message_that_was_delivered_too_often_is_not_handled_again() {
    let delivered = |times| Metadata::new().with_deliveries(times);
    let script = Script::new([(1, delivered(3)), (2, delivered(4))]);
    let (source, handled) = (script.clone(), Log::default());
    let pipeline = acked("numbers")
        .source(move || source.clone())
        .retry(Retry::default().max_deliveries(3))
        .step("record", crate::support::record_data(&handled))
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.acked, ledger.rejected), (1, 1), "{ledger}");
    assert_eq!(handled.all(), [1]);
    let reason = script.verdicts()[1].reason.clone();
    assert_eq!(
        reason.as_deref(),
        Some("delivered 3 times, and never settled")
    );
}

/// What a handler has decided is not tried again within the same delivery.
#[tokio::test(start_paused = true)]
async fn a_verdict_of_the_handler_ends_the_attempts_in_place() {
    let queue = MemoryQueue::new();
    queue.enqueue_all([0_u64, 1, 2, 3]);
    queue.close();
    let tried = Log::default();
    let (log, source) = (tried.clone(), queue.clone());
    let pipeline = acked("numbers")
        .source(move || source.source())
        .retry(Retry::default().attempts(4).without_delay())
        .step(Step::new("check").concurrency(1), move || {
            let log = log.clone();
            handler_fn(move |message: &mut Message<u64>| {
                if message.metadata().deliveries() > 1 || log.all().contains(&(10 + message.data)) {
                    return Ok(());
                }
                log.push(message.data);
                match message.data {
                    0 => Err(Failed::retry_after(secs(1), "later")),
                    1 => {
                        // It comes again with the same number of deliveries.
                        log.push(11);
                        Err(Failed::release("not mine"))
                    }
                    2 => Err(Failed::reject("never")),
                    _ => Err("at once".into()),
                }
            })
        })
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!(
        (ledger.acked, ledger.released, ledger.rejected),
        (3, 1, 1),
        "{ledger}"
    );
    assert_eq!(ledger.retried, 2, "{ledger}");
    assert_eq!(tried.all(), [0, 1, 11, 2, 3, 3, 3, 3]);
}

/// A test message that becomes several waits for no timeout either.
#[tokio::test(start_paused = true)]
async fn each_part_of_a_message_flushes_its_batch() {
    let (queue, seen) = (MemoryQueue::<u64>::new(), Log::default());
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .expand("split", || {
            expand_fn(|message: &mut Message<u64>| Ok(vec![message.data, message.data + 1]))
        })
        .batcher(
            Batcher::new("all").size(10).timeout(secs(60)),
            batches(&seen),
        )
        .start()
        .unwrap();
    let before = tokio::time::Instant::now();
    assert_eq!(within(pipeline.test_message(1)).await.verdict, Verdict::Ack);
    assert!(before.elapsed() < secs(1), "{:?}", before.elapsed());
    assert!(seen.all().iter().all(|one| one.trigger == Trigger::Flush));
}
