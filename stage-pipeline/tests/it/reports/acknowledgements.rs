//! Verdicts that do not arrive.

use std::sync::Arc;

use parking_lot::Mutex;
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::policy::Retry;
use stage_pipeline::{
    DeadLetter, DeadLetterSink, Failed, Handler, Message, Step, acked, handler_fn,
};
use stages::StageResult;

use crate::support::{Faults, Traced, ended, ms, pass, secs, taking, within};

/// Broadway SQS 42: without the right to delete, all messages became dead letters and no
/// line was logged.
#[tokio::test(start_paused = true)]
async fn verdicts_that_are_refused_are_traced_and_counted_and_cause_no_hot_loop() {
    let (traced, _guard) = Traced::listen();
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..10_u64);
    faults.fail_settles(usize::MAX);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("pass").concurrency(1).max_demand(10), pass)
        .start()
        .unwrap();
    tokio::time::sleep(secs(100)).await;
    let ledger = pipeline.ledger();
    assert_eq!((ledger.acked, ledger.rejected), (0, 0), "{ledger}");
    // Delivered once for each visibility timeout of 30 s.
    assert!((20..=40).contains(&ledger.expired), "{ledger}");
    let lines = traced.lines("access denied");
    assert!((2..=8).contains(&lines.len()), "{lines:?}");
    assert!(
        lines[0].contains("ERROR") && lines[0].contains("the broker"),
        "{lines:?}"
    );
    assert!(lines[0].contains("5 messages"), "{lines:?}");

    // When the right is granted, they are settled.
    faults.fail_settles(0);
    queue.close();
    assert_eq!(ended(&pipeline).await.settled(), pipeline.ledger().leased);
    assert_eq!(queue.counts().acked, 10);
}

/// Broadway RabbitMQ 106: verdicts of an old connection.
#[tokio::test(start_paused = true)]
async fn late_verdicts_of_a_lost_connection_are_counted_and_the_messages_come_again() {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..10_u64);
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("slow").concurrency(10).max_demand(1), || {
            taking(secs(5))
        })
        .start()
        .unwrap();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(pipeline.ledger().in_flight, 10);
    // The connection is lost: the source fails, and so do the verdicts on what it leased.
    faults.fail_leases(1);
    faults.fail_settles(10);
    queue.enqueue(10);
    tokio::time::sleep(secs(10)).await;
    assert_eq!(pipeline.ledger().expired, 10, "{}", pipeline.ledger());
    queue.close();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.acked, ledger.expired), (11, 10), "{ledger}");
    assert_eq!(ledger.leased, ledger.acked + ledger.expired, "{ledger}");
    assert_eq!(faults.sources(), 2);
}

/// A sink that fails, or panics, so many times before it works.
struct Sink {
    failures: usize,
    panics: bool,
    letters: Arc<Mutex<Vec<(u64, u32)>>>,
}

impl DeadLetterSink for Sink {
    async fn send(&mut self, letters: &mut Vec<DeadLetter>) -> StageResult {
        if self.failures > 0 {
            self.failures -= 1;
            if self.panics {
                panic!("the sink has a bug");
            }
            return Err("the disk is full".into());
        }
        for letter in letters.iter() {
            let deliveries = letter.metadata.deliveries();
            self.letters
                .lock()
                .push((*letter.data::<u64>().unwrap(), deliveries));
        }
        Ok(())
    }
}

/// Broadway Kafka 30 and 91: a failed message is acknowledged, also if the handler of
/// failures fails.
#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_its_sink_does_not_take_is_retried_and_never_acked() {
    for panics in [false, true] {
        let (queue, faults) = (MemoryQueue::new(), Faults::new());
        queue.enqueue_all(0..5_u64);
        queue.close();
        let letters = Arc::default();
        let sink = Sink {
            failures: 3,
            panics,
            letters: Arc::clone(&letters),
        };
        let pipeline = acked("numbers")
            .source(faults.source(&queue))
            .retry(Retry::default().max_deliveries(2))
            .dead_letters(sink)
            .step(Step::new("check").concurrency(1), || {
                handler_fn(|message: &mut Message<u64>| match message.data {
                    3 => Err("poison".into()),
                    _ => Ok(()),
                })
            })
            .start()
            .unwrap();
        let ledger = ended(&pipeline).await;
        assert_eq!(
            (ledger.acked, ledger.rejected, ledger.retried),
            (4, 1, 4),
            "{ledger}"
        );
        // Taken at the fifth delivery, of which three were for the sink.
        assert_eq!(*letters.lock(), [(3, 5)]);
    }
}

/// A handler whose `handle_failed` panics each time.
struct Careless;

impl Handler for Careless {
    type Data = u64;

    async fn handle(&mut self, message: &mut Message<u64>) -> Result<(), Failed> {
        message.data += 100;
        Err("poison".into())
    }

    async fn handle_failed(&mut self, _: &mut [Message<u64>]) {
        panic!("a bug");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_handle_failed_panics_is_retried_and_then_dead() {
    let queue = MemoryQueue::new();
    queue.enqueue(3);
    queue.close();
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .step("check", || Careless)
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!(
        (ledger.acked, ledger.retried, ledger.rejected),
        (0, 4, 1),
        "{ledger}"
    );
    // off_broadway_memory 6: a message came again with the data that the handler had changed.
    let dead = queue.dead_letters();
    assert_eq!(
        (dead[0].data, dead[0].deliveries, dead[0].reason.as_deref()),
        (3, 5, Some("poison"))
    );
}

/// Broadway SQS 43, Broadway 103: to choose for each message what becomes of it.
#[tokio::test(start_paused = true)]
async fn a_handler_chooses_the_verdict_for_each_message() {
    let queue = MemoryQueue::new();
    queue.enqueue_all(0..4_u64);
    queue.close();
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .step(Step::new("check").concurrency(1), || {
            let mut released = false;
            handler_fn(move |message: &mut Message<u64>| {
                let deliveries = message.metadata().deliveries();
                match message.data {
                    1 => Err(Failed::reject("no JSON")),
                    2 if deliveries < 20 => Err(Failed::retry_after(secs(60), "timeout")),
                    3 if !std::mem::replace(&mut released, true) => {
                        Err(Failed::release("not mine"))
                    }
                    _ => Ok(()),
                }
            })
        })
        .start()
        .unwrap();
    let before = tokio::time::Instant::now();
    let ledger = ended(&pipeline).await;
    assert_eq!(
        (ledger.acked, ledger.rejected, ledger.released),
        (2, 2, 1),
        "{ledger}"
    );
    // What a handler asks for goes up to the cap on deliveries.
    assert_eq!(ledger.retried, 4, "{ledger}");
    assert!(before.elapsed() >= secs(240));
    within(pipeline.drain(ms(1))).await.unwrap();
}
