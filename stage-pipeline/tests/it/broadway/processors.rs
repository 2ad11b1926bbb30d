//! Steps: what becomes of a message after its handler.

use std::error::Error;
use std::fmt;

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::policy::Retry;
use stage_pipeline::{
    AckedPipeline, Batcher, Failed, Message, MessageBatch, Settled, Step, Verdict, acked,
    async_handler_fn, batch_handler_fn, handler_fn,
};

use crate::support::{Faults, Log, Seen, Traced, batches, ended, ms, restarts, within};

/// What a handler is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Do {
    Pass,
    Fail,
    Mark,
    Panic,
    Throw,
    Unroutable,
    Join,
}

/// An error with a cause, whose text contains it.
#[derive(Debug)]
struct Unreachable(std::io::Error);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the warehouse cannot be reached: {}", self.0)
    }
}

impl Error for Unreachable {}

/// An error that leaves its cause to `source`, as most do.
#[derive(Debug)]
struct Silent(Unreachable);

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the order is not checked")
    }
}

impl Error for Silent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn refused() -> Unreachable {
    Unreachable(std::io::Error::other("connection refused"))
}

async fn handle(message: &mut Message<Do>) -> Result<(), Failed> {
    match message.data {
        Do::Pass => Ok(()),
        Do::Fail => Err(refused().into()),
        Do::Mark => {
            message.fail("not today");
            Ok(())
        }
        Do::Panic => panic!("a bug in {:?}", message.data),
        Do::Throw => std::panic::panic_any(7_u64),
        Do::Unroutable => {
            message.set_batcher("uploads");
            Ok(())
        }
        Do::Join => {
            let task = tokio::spawn(async { panic!("a bug in a task") });
            Ok(task.await?)
        }
    }
}

struct Test {
    seen: Log<Do>,
    pipeline: AckedPipeline<Do>,
}

/// A step, and two batchers.
fn start() -> Test {
    let (queue, seen) = (MemoryQueue::new(), Log::default());
    let log = seen.clone();
    let record = move || {
        let log = log.clone();
        batch_handler_fn(move |batch: &mut MessageBatch<Do>| {
            batch.data().for_each(|data| log.push(*data));
            Ok(())
        })
    };
    let pipeline = acked("orders")
        .source(move || queue.source())
        .retry(Retry::never())
        .step(Step::new("check").concurrency(1), || {
            async_handler_fn(|message: &mut Message<Do>| Box::pin(handle(message)))
        })
        .batcher(Batcher::new("all").timeout(ms(10)), record.clone())
        .batcher("other", record)
        .start()
        .unwrap();
    Test { seen, pipeline }
}

impl Test {
    /// Sends three messages; returns what became of the one in the middle. The others
    /// must be acked.
    async fn send(&self, middle: Do) -> Settled {
        let mut settled = within(self.pipeline.test_batch([Do::Pass, middle, Do::Pass])).await;
        assert_eq!(settled[0].verdict, Verdict::Ack);
        assert_eq!(settled[2].verdict, Verdict::Ack);
        settled.remove(1)
    }

    async fn reason(&self, middle: Do) -> String {
        let settled = self.send(middle).await;
        assert_eq!(settled.verdict, Verdict::Reject);
        settled.reason.unwrap().to_string()
    }
}

#[tokio::test(start_paused = true)]
async fn b001_the_reason_of_a_failure_is_the_text_of_the_error_with_its_causes() {
    let reason = start().reason(Do::Fail).await;
    assert_eq!(
        reason,
        "the warehouse cannot be reached: connection refused"
    );
    // An error that leaves its cause to `source` tells it there.
    let failed = Failed::new(Silent(refused()));
    assert_eq!(failed.to_string(), "the order is not checked");
    let cause = failed.error().source().unwrap();
    assert_eq!(
        cause.to_string(),
        "the warehouse cannot be reached: connection refused"
    );
}

#[tokio::test(start_paused = true)]
async fn b003_the_reason_of_a_panic_is_its_text() {
    let test = start();
    assert_eq!(
        test.reason(Do::Panic).await,
        "the handler panicked: a bug in Panic"
    );
    let thrown = test.reason(Do::Throw).await;
    assert!(thrown.starts_with("the handler panicked"), "{thrown}");
}

#[tokio::test(start_paused = true)]
async fn b053_a_handled_message_goes_through_the_batcher_and_is_acked() {
    let test = start();
    assert_eq!(test.send(Do::Pass).await.verdict, Verdict::Ack);
    assert_eq!(test.seen.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn b054_a_message_that_the_handler_fails_is_not_acked() {
    assert_eq!(start().reason(Do::Mark).await, "not today");
}

#[tokio::test(start_paused = true)]
async fn b055_a_failed_message_does_not_go_to_a_batcher() {
    let test = start();
    for middle in [Do::Fail, Do::Mark, Do::Panic, Do::Unroutable] {
        test.send(middle).await;
    }
    assert_eq!(test.seen.all(), [Do::Pass; 8]);
}

#[tokio::test(start_paused = true)]
async fn b056_if_the_handler_fails_or_panics_that_message_fails_and_the_step_lives() {
    let test = start();
    for middle in [Do::Panic, Do::Fail, Do::Panic] {
        assert_eq!(test.send(middle).await.verdict, Verdict::Reject);
    }
    assert_eq!(restarts(&test.pipeline), 0);
}

#[tokio::test(start_paused = true)]
async fn b058_a_message_for_an_unknown_batcher_fails_with_the_known_ones() {
    let reason = start().reason(Do::Unroutable).await;
    assert_eq!(
        reason,
        "there is no batcher `uploads`: the batchers are `all`, `other`"
    );
}

#[tokio::test(start_paused = true)]
async fn b061_the_panic_of_a_task_that_the_handler_awaits_is_an_error_of_the_handler() {
    let reason = start().reason(Do::Join).await;
    assert!(reason.contains("a bug in a task"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn b059_a_message_that_a_batch_handler_takes_and_drops_is_retried() {
    let queue = MemoryQueue::new();
    queue.enqueue_all(1..=4_u64);
    queue.close();
    let (source, faults, seen) = (queue.clone(), Faults::new(), Log::<Vec<u64>>::default());
    let log = seen.clone();
    let pipeline = acked("numbers")
        .source(faults.source(&source))
        .step("pass", crate::support::pass)
        .batcher(Batcher::new("all").size(4).timeout(ms(10)), move || {
            let log = log.clone();
            batch_handler_fn(move |batch: &mut MessageBatch<u64>| {
                log.push(batch.data().copied().collect());
                if log.len() == 1 {
                    batch.messages.retain(|message| message.data != 1);
                }
                Ok(())
            })
        })
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.acked, ledger.retried), (4, 1), "{ledger}");
    assert_eq!(seen.all()[1], [1]);
}

#[tokio::test(start_paused = true)]
async fn b060_if_an_acknowledger_panics_the_step_lives_and_the_others_are_acked() {
    let (traced, _guard) = Traced::listen();
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..30_u64);
    queue.close();
    faults.panic_settles(1);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(
            Step::new("pass").concurrency(1).max_demand(10),
            crate::support::pass,
        )
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!(ledger.acked, 30, "{ledger}");
    // Their leases ended, and they were delivered again.
    assert!((1..=10).contains(&ledger.expired), "{ledger}");
    assert_eq!(queue.counts().expired, ledger.expired);
    assert_eq!(traced.lines("the acknowledger has a bug").len(), 1);
    assert_eq!(restarts(&pipeline), 0);
}

#[tokio::test(start_paused = true)]
async fn b062_a_message_has_a_span_from_its_lease_to_its_verdict() {
    let (traced, _guard) = Traced::listen();
    let queue = MemoryQueue::new();
    queue.enqueue_all([1, 2_u64]);
    queue.close();
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .spans()
        .step(Step::new("log").concurrency(1), || {
            handler_fn(|message: &mut Message<u64>| {
                tracing::info!(number = message.data, "handled");
                Ok(())
            })
        })
        .batcher("all", batches(&Log::<Seen>::default()))
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!(ledger.acked, 2);
    let handled = traced.lines("handled");
    assert_eq!(handled.len(), 2, "{handled:?}");
    assert!(
        handled
            .iter()
            .all(|line| line.contains("origin=\"numbers/source#0\"")),
        "{handled:?}"
    );
    assert!(handled[1].contains("id=1"), "{handled:?}");
    let closed = traced.lines("close");
    assert_eq!(
        closed
            .iter()
            .filter(|line| line.contains("message{"))
            .count(),
        2,
        "{closed:?}"
    );
}
