//! Stages that fail, which an error or a panic of a handler alone does not do: here the
//! closure that makes the next handler panics as well, or the one that splits batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use stage_pipeline::batch::{Split, Splitter};
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{
    AckedPipeline, Batcher, Message, MessageBatch, Step, acked, batch_handler_fn, handler_fn,
};

use crate::support::{Faults, Log, Seen, batches, ended, ms, restarts, secs};

struct Test {
    queue: MemoryQueue<u64>,
    faults: Faults,
    /// Number and delivery of each message that a step handled.
    handled: Log<(u64, u32)>,
    /// A member was made.
    made: Log<()>,
    seen: Log<Seen>,
    pipeline: AckedPipeline<u64>,
}

/// The member of the step fails at number 3, when it comes first.
fn failing_step(batcher: Batcher<u64>) -> Test {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    let (handled, made, seen) = (Log::default(), Log::default(), Log::default());
    let broken = Arc::new(AtomicBool::new(false));
    let (log, makes) = (handled.clone(), made.clone());
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(
            Step::new("check").concurrency(1).max_demand(10),
            move || {
                makes.push(());
                assert!(!broken.swap(false, SeqCst), "no handler can be made");
                let (log, broken) = (log.clone(), Arc::clone(&broken));
                handler_fn(move |message: &mut Message<u64>| {
                    let deliveries = message.metadata().deliveries();
                    if message.data == 3 && deliveries == 1 {
                        broken.store(true, SeqCst);
                        panic!("a bug");
                    }
                    log.push((message.data, deliveries));
                    Ok(())
                })
            },
        )
        .batcher(batcher, batches(&seen))
        .start()
        .unwrap();
    Test {
        queue,
        faults,
        handled,
        made,
        seen,
        pipeline,
    }
}

#[tokio::test(start_paused = true)]
async fn b099_b100_a_step_that_failed_is_made_again_alone_and_goes_on() {
    let test = failing_step(Batcher::new("all").size(2).timeout(ms(10)));
    test.queue.enqueue_all(0..4);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(restarts(&test.pipeline), 1);
    // One at first, one that could not be made, and the one of the new stage.
    assert_eq!((test.made.len(), test.faults.sources()), (3, 1));
    test.queue.enqueue_all(4..8);
    test.queue.close();
    let ledger = ended(&test.pipeline).await;
    assert_eq!(ledger.acked, 8, "{ledger}");
    assert_eq!(restarts(&test.pipeline), 1);
}

#[tokio::test(start_paused = true)]
async fn b101_only_the_message_in_hand_is_not_handled_and_it_is_retried() {
    let test = failing_step(Batcher::new("all").size(5).timeout(ms(10)));
    test.queue.enqueue_all(0..10);
    test.queue.close();
    let ledger = ended(&test.pipeline).await;
    assert_eq!(
        (ledger.leased, ledger.acked, ledger.retried),
        (11, 10, 1),
        "{ledger}"
    );
    let mut handled = test.handled.all();
    handled.sort_unstable();
    let once = |number| (number, 1 + u32::from(number == 3));
    assert_eq!(handled, (0..10).map(once).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn b102_batches_have_all_messages_but_the_one_in_hand() {
    let test = failing_step(Batcher::new("all").size(9).timeout(ms(50)));
    test.queue.enqueue_all(0..10);
    test.queue.close();
    ended(&test.pipeline).await;
    let mut first = test.seen.all()[0].data.clone();
    first.sort_unstable();
    assert_eq!(first, [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    assert_eq!(test.seen.all()[1].data, [3]);
}

/// The splitter panics at number 3, as often as it is said.
fn failing_batcher(times: usize) -> Test {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    let (handled, made, seen) = (Log::default(), Log::default(), Log::default());
    let (log, makes) = (handled.clone(), made.clone());
    let panics = Log::default();
    let splitter = Splitter::custom((), move |(), message: &Message<u64>| {
        if message.data == 3 && panics.len() < times {
            panics.push(());
            panic!("the splitter has a bug");
        }
        Split::Continue
    });
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("check").concurrency(1), move || {
            makes.push(());
            let log = log.clone();
            handler_fn(move |message: &mut Message<u64>| {
                log.push((message.data, message.metadata().deliveries()));
                Ok(())
            })
        })
        .batcher(
            Batcher::new("all").split(splitter).timeout(ms(10)),
            batches(&seen),
        )
        .start()
        .unwrap();
    Test {
        queue,
        faults,
        handled,
        made,
        seen,
        pipeline,
    }
}

#[tokio::test(start_paused = true)]
async fn b103_b104_b105_a_message_whose_splitter_panics_is_retried_and_batches_go_on() {
    let test = failing_batcher(1);
    test.queue.enqueue_all(0..6);
    tokio::time::sleep(secs(1)).await;
    test.queue.enqueue_all(6..9);
    test.queue.close();
    let ledger = ended(&test.pipeline).await;
    assert_eq!((ledger.acked, ledger.retried), (9, 1), "{ledger}");
    assert_eq!((test.made.len(), test.faults.sources()), (1, 1));
    let mut batched: Vec<_> = test
        .seen
        .all()
        .iter()
        .flat_map(|seen| seen.data.clone())
        .collect();
    batched.sort_unstable();
    assert_eq!(batched, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(test.handled.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_no_splitter_takes_is_dead_and_alone() {
    let test = failing_batcher(usize::MAX);
    test.queue.enqueue_all(0..6);
    tokio::time::sleep(secs(60)).await;
    test.queue.enqueue_all(6..9);
    test.queue.close();
    let ledger = ended(&test.pipeline).await;
    assert_eq!((ledger.acked, ledger.rejected), (8, 1), "{ledger}");
    assert_eq!(test.queue.dead_letters()[0].data, 3);
}

#[tokio::test(start_paused = true)]
async fn a_batch_handler_that_cannot_be_made_again_loses_nothing() {
    let queue = MemoryQueue::new();
    queue.enqueue_all(0..20_u64);
    queue.close();
    let (source, broken) = (queue.clone(), Arc::new(AtomicBool::new(false)));
    let first = Arc::new(AtomicBool::new(true));
    let pipeline = acked("numbers")
        .source(move || source.source())
        .step("pass", crate::support::pass)
        .batcher(Batcher::new("all").size(5).timeout(ms(10)), move || {
            assert!(!broken.swap(false, SeqCst), "no handler can be made");
            let (first, broken) = (Arc::clone(&first), Arc::clone(&broken));
            batch_handler_fn(move |_: &mut MessageBatch<u64>| {
                if first.swap(false, SeqCst) {
                    broken.store(true, SeqCst);
                    panic!("a bug");
                }
                Ok(())
            })
        })
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.acked, ledger.retried), (20, 5), "{ledger}");
    assert_eq!(restarts(&pipeline), 1);
}
