//! Order per key, where a failure is easily missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use futures::FutureExt;
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::policy::Retry;
use stage_pipeline::{DeadLetter, DeadLetterSink, Failed, Message, Step, acked, handler_fn};
use stages::StageResult;

use crate::support::{Call, Faults, Log, ended, ms, record_data, secs, then};

/// Two messages of one key, in one batch.
fn two() -> MemoryQueue<u64> {
    let queue = MemoryQueue::new();
    for number in [1, 2] {
        queue.enqueue_with_key("a", number);
    }
    queue.close();
    queue
}

#[tokio::test(start_paused = true)]
async fn a_message_waits_behind_one_whose_handler_panicked() {
    let (queue, handled) = (two(), Log::default());
    let log = handled.clone();
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .ordered_by_key()
        .step(Step::new("check").concurrency(1), move || {
            let log = log.clone();
            handler_fn(move |message: &mut Message<u64>| {
                log.push(message.data);
                if message.data == 1 && message.metadata().deliveries() == 1 {
                    // Without the hook, which would print.
                    std::panic::resume_unwind(Box::new("a bug"));
                }
                Ok(())
            })
        })
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!(handled.all(), [1, 1, 2]);
    assert_eq!((ledger.retried, ledger.released), (1, 1), "{ledger}");
}

/// Refuses the first dead letters.
struct Full(bool);

impl DeadLetterSink for Full {
    async fn send(&mut self, _: &mut Vec<DeadLetter>) -> StageResult {
        match std::mem::take(&mut self.0) {
            true => Err("the disk is full".into()),
            false => Ok(()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_waits_behind_a_dead_letter_that_its_sink_refused() {
    let (queue, handled) = (two(), Log::default());
    let log = handled.clone();
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .ordered_by_key()
        .dead_letters(Full(true))
        .step(Step::new("check").concurrency(1), move || {
            let log = log.clone();
            handler_fn(move |message: &mut Message<u64>| {
                log.push(message.data);
                match message.data {
                    1 => Err(Failed::reject("no")),
                    _ => Ok(()),
                }
            })
        })
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!(handled.all(), [1, 1, 2]);
    assert_eq!(
        (ledger.acked, ledger.retried, ledger.rejected),
        (1, 1, 1),
        "{ledger}"
    );
}

/// While an earlier message of its key is under way, a message that failed would be leased
/// and given back without end.
#[tokio::test(start_paused = true)]
async fn what_has_to_go_back_is_not_leased_again_before_something_is_settled() {
    let (queue, faults, handled) = (two(), Faults::new(), Log::default());
    // So that a hot loop takes time, which is paused.
    faults.slow_leases(ms(10));
    let failed = Arc::new(AtomicBool::new(false));
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .ordered_by_key()
        .retry(Retry::default().without_delay())
        .step(Step::new("check").concurrency(1), move || {
            let failed = Arc::clone(&failed);
            handler_fn(move |message: &mut Message<u64>| {
                match message.data == 2 && !failed.swap(true, SeqCst) {
                    true => Err("not yet".into()),
                    false => Ok(()),
                }
            })
        })
        .step(Step::new("slow").concurrency(1), || {
            then(|message| {
                let time = if message.data == 1 { secs(10) } else { ms(0) };
                tokio::time::sleep(time).map(Ok).boxed()
            })
        })
        .step("record", record_data(&handled))
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!(handled.all(), [1, 2]);
    assert_eq!((ledger.acked, ledger.retried), (2, 1), "{ledger}");
    let calls = faults.calls();
    let leases = calls.iter().filter(|call| matches!(call, Call::Lease(_)));
    assert!(leases.count() <= 4, "{calls:?}");
}
