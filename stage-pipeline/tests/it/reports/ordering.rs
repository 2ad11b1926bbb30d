//! Order per key, also after a failure.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::policy::Retry;
use stage_pipeline::{
    Batcher, BuildError, Failed, Handler, Message, MessageBatch, Step, Verdict, acked,
    async_handler_fn, batch_handler_fn, handler_fn,
};

use crate::support::{Counting, Faults, Log, ended, ms, pass, secs};

/// Broadway Kafka 30: a message that failed is handled again behind later ones of its key.
#[tokio::test(start_paused = true)]
async fn later_messages_of_a_key_wait_behind_one_that_failed() {
    let queue = MemoryQueue::new();
    for number in 1..=4_u64 {
        for key in ["a", "b", "c"] {
            queue.enqueue_with_key(key, number);
        }
    }
    queue.close();
    let handled = Log::<(String, u64, u32)>::default();
    let log = handled.clone();
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .ordered_by_key()
        .retry(Retry::default().backoff(secs(5), secs(30)).without_jitter())
        .step(Step::new("check").concurrency(4), move || {
            let log = log.clone();
            handler_fn(move |message: &mut Message<u64>| {
                let metadata = message.metadata();
                let key = metadata.key().unwrap_or_default().to_owned();
                log.push((key.clone(), message.data, metadata.deliveries()));
                match (key.as_str(), message.data, metadata.deliveries()) {
                    ("a", 2, 1) => Err("not yet".into()),
                    _ => Ok(()),
                }
            })
        })
        .batcher(
            Batcher::new("all").size(3).concurrency(2).timeout(ms(10)),
            || batch_handler_fn(|_: &mut MessageBatch<u64>| Ok(())),
        )
        .start()
        .unwrap();
    tokio::time::sleep(secs(1)).await;
    let of = |key: &str| {
        let all = handled.all().into_iter().filter(|(known, ..)| known == key);
        all.map(|(_, number, deliveries)| (number, deliveries))
            .collect::<Vec<_>>()
    };
    // The others are not held up.
    for key in ["b", "c"] {
        assert_eq!(of(key), [(1, 1), (2, 1), (3, 1), (4, 1)]);
    }
    assert_eq!(of("a"), [(1, 1), (2, 1)]);
    let ledger = ended(&pipeline).await;
    assert_eq!(of("a"), [(1, 1), (2, 1), (2, 2), (3, 1), (4, 1)]);
    assert_eq!((ledger.acked, ledger.retried), (12, 1), "{ledger}");
    assert_eq!(queue.counts().stale, 0);
}

/// Fails the first number of the key at its first delivery, after a time.
async fn handled_in_order(prepare: impl FnOnce(&Faults), fails_after: Duration) -> Vec<u64> {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    prepare(&faults);
    queue.enqueue_with_key("a", 1_u64);
    let handled = Log::default();
    let log = handled.clone();
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .ordered_by_key()
        .step(Step::new("check").concurrency(1), move || {
            let log = log.clone();
            async_handler_fn(move |message: &mut Message<u64>| {
                log.push(message.data);
                let fails = message.data == 1 && message.metadata().deliveries() == 1;
                async move {
                    if fails {
                        tokio::time::sleep(fails_after).await;
                        return Err("not yet".into());
                    }
                    Ok(())
                }
                .boxed()
            })
        })
        .start()
        .unwrap();
    tokio::time::sleep(fails_after + ms(500)).await;
    queue.enqueue_with_key("a", 2);
    queue.close();
    let ledger = ended(&pipeline).await;
    assert_eq!((ledger.acked, ledger.retried), (2, 1), "{ledger}");
    handled.all()
}

/// The last message that was leased fails, and the next one is leased before its origin
/// knows.
#[tokio::test(start_paused = true)]
async fn a_message_waits_that_is_leased_before_the_failed_one_is_back() {
    let slow = |faults: &Faults| faults.slow_settles(secs(1));
    assert_eq!(handled_in_order(slow, ms(0)).await, [1, 1, 2]);
}

/// The call that leases the next message ends when the failed one is back already.
#[tokio::test(start_paused = true)]
async fn a_message_waits_that_was_being_leased_when_the_failed_one_came_back() {
    let slow = |faults: &Faults| {
        faults.slow_settles(secs(2));
        faults.slow_returns(secs(3));
    };
    assert_eq!(handled_in_order(slow, ms(0)).await, [1, 1, 2]);
}

/// A message that is dropped comes again as one that failed.
#[tokio::test(start_paused = true)]
async fn a_message_waits_behind_one_that_a_batch_handler_dropped() {
    let (queue, faults, seen) = (MemoryQueue::new(), Faults::new(), Log::default());
    queue.enqueue_with_key("a", 1_u64);
    queue.enqueue_with_key("a", 2);
    queue.close();
    let log = seen.clone();
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .ordered_by_key()
        .step(Step::new("pass").concurrency(1), pass)
        .batcher(Batcher::new("all").size(2).timeout(ms(10)), move || {
            let log = log.clone();
            batch_handler_fn(move |batch: &mut MessageBatch<u64>| {
                log.push(batch.data().copied().collect::<Vec<_>>());
                if log.len() == 1 {
                    batch.messages.remove(0);
                }
                Ok(())
            })
        })
        .start()
        .unwrap();
    let ledger = ended(&pipeline).await;
    assert_eq!(
        (ledger.acked, ledger.retried, ledger.released),
        (2, 1, 1),
        "{ledger}"
    );
    let acked = faults
        .verdicts()
        .into_iter()
        .filter(|(_, verdict)| *verdict == Verdict::Ack);
    assert_eq!(acked.map(|(id, _)| id).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(seen.all()[0], [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_keeps_no_order_is_refused() {
    let refused = acked("numbers")
        .source(|| Counting::up_to(1))
        .ordered_by_key()
        .step("pass", pass)
        .start();
    assert!(
        matches!(refused, Err(BuildError::Unordered { .. })),
        "{refused:?}"
    );
}

/// Fails, panics and takes time at random.
struct Chaotic(fastrand::Rng);

impl Handler for Chaotic {
    type Data = (u64, u64);

    async fn handle(&mut self, _: &mut Message<(u64, u64)>) -> Result<(), Failed> {
        match self.0.u8(..100) {
            0..3 => Err("at random".into()),
            // Without the hook, which would print.
            3 => std::panic::resume_unwind(Box::new("at random")),
            4..20 => {
                tokio::task::yield_now().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// What the sink has done for each key: the numbers in the order in which they took
/// effect.
type Effects = Arc<Mutex<HashMap<u64, Vec<u64>>>>;

/// Every message of every key takes effect, and no number comes before a smaller one: the
/// first effect of each number is in order.
fn assert_effects_in_order(effects: &HashMap<u64, Vec<u64>>, keys: u64, numbers: u64) {
    for key in 0..keys {
        let mut next = 0;
        for &number in &effects[&key] {
            assert!(
                number <= next,
                "key {key}: {number} took effect before {next}"
            );
            if number == next {
                next += 1;
            }
        }
        assert_eq!(next, numbers, "key {key}");
    }
}

/// 8 members and 3 batch handlers on real threads, with random failures at each stage.
#[test]
fn order_by_key_survives_random_failures_on_many_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    const KEYS: u64 = 20;
    const NUMBERS: u64 = 100;
    runtime.block_on(async {
        for seed in 0..5 {
            let queue = MemoryQueue::new();
            for number in 0..NUMBERS {
                for key in 0..KEYS {
                    queue.enqueue_with_key(key.to_string(), (key, number));
                }
            }
            queue.close();
            let effects = Effects::default();
            let (source, sink) = (queue.clone(), Arc::clone(&effects));
            let pipeline = acked("numbers")
                .source(move || source.source())
                .ordered_by_key()
                .retry(Retry::forever().backoff(ms(1), ms(3)))
                .step(Step::new("first").concurrency(8), move || {
                    Chaotic(fastrand::Rng::with_seed(seed))
                })
                .step(Step::new("second").concurrency(4), move || {
                    Chaotic(fastrand::Rng::with_seed(seed + 100))
                })
                .batcher(
                    Batcher::new("all").size(7).concurrency(3).timeout(ms(1)),
                    move || {
                        let sink = Arc::clone(&sink);
                        let mut random = fastrand::Rng::with_seed(seed + 200);
                        batch_handler_fn(move |batch: &mut MessageBatch<(u64, u64)>| {
                            if random.u8(..100) < 3 {
                                return Err("at random".into());
                            }
                            let mut effects = sink.lock();
                            let mut failed: Vec<u64> = Vec::new();
                            for message in &mut batch.messages {
                                let (key, number) = message.data;
                                // Later ones of its key have no effect in this batch.
                                if failed.contains(&key) || random.u8(..100) < 2 {
                                    failed.push(key);
                                    message.fail("at random");
                                } else {
                                    effects.entry(key).or_default().push(number);
                                }
                            }
                            Ok(())
                        })
                    },
                )
                .start()
                .unwrap();
            let joined = tokio::time::timeout(Duration::from_secs(60), pipeline.join()).await;
            joined
                .unwrap_or_else(|_| panic!("{}\n{}", pipeline.explain(ms(10)), pipeline.ledger()))
                .unwrap();
            let ledger = pipeline.ledger();
            assert_eq!(
                (ledger.acked, ledger.in_flight),
                (KEYS * NUMBERS, 0),
                "{ledger}"
            );
            assert!(ledger.retried > 0, "{ledger}");
            assert_effects_in_order(&effects.lock(), KEYS, NUMBERS);
        }
    });
}
