//! A log as the source of a pipeline.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use stage_pipeline::policy::Retry;
use stage_pipeline::{
    BuildError, Failed, Guarantee, Message, Step, TraceDeadLetters, acked, async_handler_fn,
    handler_fn,
};
use stage_queue::{Log, LogOptions, StartAt};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::support::Fixture;

const LONG: Duration = Duration::from_secs(30);

async fn log(fixture: &Fixture, entries: u32) -> Log {
    let log = fixture.queue.log("events", LogOptions::new());
    log.append_all((0..entries).map(|n| n.to_string()))
        .await
        .unwrap();
    log
}

fn number(message: &Message<Vec<u8>>) -> u32 {
    std::str::from_utf8(&message.data).unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_entry_is_handled_and_a_second_run_begins_behind_the_mark() {
    let fixture = Fixture::new();
    let log = log(&fixture, 500).await;
    for expected in [500, 0] {
        let source = log.clone();
        let pipeline = acked("events")
            .source(move || source.source("audit", StartAt::Oldest).end_when_read())
            .dead_letters(TraceDeadLetters)
            .step(Step::new("pass").concurrency(4), || {
                handler_fn(|_: &mut Message<Vec<u8>>| Ok(()))
            })
            .start()
            .unwrap();
        timeout(LONG, pipeline.join()).await.unwrap().unwrap();
        assert_eq!(pipeline.ledger().acked, expected);
    }
}

#[tokio::test]
async fn the_mark_does_not_pass_an_entry_that_is_not_settled() {
    let fixture = Fixture::new();
    let log = log(&fixture, 100).await;
    let source = log.clone();
    let pipeline = acked("events")
        .source(move || source.source("audit", StartAt::Oldest))
        .dead_letters(TraceDeadLetters)
        .step(
            Step::new("hang").concurrency(4).max_demand(1).min_demand(0),
            || {
                async_handler_fn(|message: &mut Message<Vec<u8>>| {
                    async move {
                        if number(message) == 40 {
                            std::future::pending::<()>().await;
                        }
                        Ok(())
                    }
                    .boxed()
                })
            },
        )
        .start()
        .unwrap();
    timeout(LONG, async {
        while pipeline.ledger().acked < 99 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    pipeline.drain(Duration::from_millis(50)).await.unwrap_err();

    let mut reader = log.group("audit", StartAt::Oldest).await.unwrap();
    let mut entries = Vec::new();
    reader.read(1_000, &mut entries).await.unwrap();
    assert_eq!(entries[0].payload, b"40");
    assert_eq!(entries.len(), 60);
}

#[tokio::test]
async fn a_retried_entry_comes_again_and_a_dead_one_lets_the_mark_pass() {
    let fixture = Fixture::new();
    let log = log(&fixture, 20).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (source, record) = (log.clone(), Arc::clone(&seen));
    let short = Duration::from_millis(5);
    let pipeline = acked("events")
        .source(move || source.source("audit", StartAt::Oldest).end_when_read())
        .retry(Retry::default().max_deliveries(3).backoff(short, short))
        .dead_letters(TraceDeadLetters)
        .step(Step::new("check").concurrency(1), move || {
            let record = Arc::clone(&record);
            handler_fn(move |message: &mut Message<Vec<u8>>| {
                let (number, deliveries) = (number(message), message.metadata().deliveries());
                record.lock().push((number, deliveries));
                match number {
                    7 => Err("poison".into()),
                    9 if deliveries < 2 => Err(Failed::retry_after(short, "later")),
                    _ => Ok(()),
                }
            })
        })
        .start()
        .unwrap();
    timeout(LONG, pipeline.join()).await.unwrap().unwrap();
    let ledger = pipeline.ledger();
    assert_eq!(
        (ledger.acked, ledger.rejected, ledger.retried),
        (19, 1, 3),
        "{ledger}"
    );
    let seen = seen.lock().clone();
    let of = |wanted| {
        seen.iter()
            .filter(|(number, _)| *number == wanted)
            .map(|(_, n)| *n)
            .collect::<Vec<_>>()
    };
    assert_eq!((of(7), of(9), of(10)), (vec![1, 2, 3], vec![1, 2], vec![1]));

    let mut reader = log.group("audit", StartAt::Oldest).await.unwrap();
    let mut entries = Vec::new();
    assert_eq!(
        reader.read(10, &mut entries).await.unwrap(),
        0,
        "the mark has passed all"
    );
}

#[tokio::test]
async fn the_gap_behind_an_unsettled_entry_is_bounded() {
    let fixture = Fixture::new();
    let log = log(&fixture, 1_000).await;
    let gate = Arc::new(Semaphore::new(0));
    let (source, hold) = (log.clone(), Arc::clone(&gate));
    let pipeline = acked("events")
        .source(move || {
            source
                .source("audit", StartAt::Oldest)
                .max_gap(50, Duration::from_secs(3_600))
                .end_when_read()
        })
        .dead_letters(TraceDeadLetters)
        .step(
            Step::new("hold").concurrency(4).max_demand(1).min_demand(0),
            move || {
                let hold = Arc::clone(&hold);
                async_handler_fn(move |message: &mut Message<Vec<u8>>| {
                    let hold = Arc::clone(&hold);
                    async move {
                        if number(message) == 0 {
                            drop(hold.acquire().await?);
                        }
                        Ok(())
                    }
                    .boxed()
                })
            },
        )
        .start()
        .unwrap();
    timeout(LONG, async {
        while pipeline.ledger().acked < 50 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let acked = pipeline.ledger().acked;
    assert!(
        acked < 60,
        "{acked} of 1,000, though the first is unsettled"
    );
    gate.add_permits(1);
    timeout(LONG, pipeline.join()).await.unwrap().unwrap();
    assert_eq!(pipeline.ledger().acked, 1_000);
}

#[tokio::test]
async fn a_log_keeps_no_dead_letters_so_the_pipeline_has_to() {
    let fixture = Fixture::new();
    let log = log(&fixture, 0).await;
    let refused = acked("events")
        .source(move || log.source("audit", StartAt::Oldest))
        .require(Guarantee::Durable)
        .step("pass", || handler_fn(|_: &mut Message<Vec<u8>>| Ok(())))
        .start();
    assert!(matches!(refused, Err(BuildError::NoDeadLetters { .. })));
}

/// A delay without end is one that nobody lives to see, and no overflow.
#[tokio::test]
async fn a_retry_without_end_keeps_its_entry_and_the_mark() {
    let fixture = Fixture::new();
    let log = log(&fixture, 3).await;
    let source = log.clone();
    let pipeline = acked("events")
        .source(move || source.source("audit", StartAt::Oldest))
        .dead_letters(TraceDeadLetters)
        .step(Step::new("wait").concurrency(1), || {
            handler_fn(|message: &mut Message<Vec<u8>>| match number(message) {
                1 => Err(Failed::retry_after(Duration::MAX, "never")),
                _ => Ok(()),
            })
        })
        .start()
        .unwrap();
    timeout(LONG, async {
        while pipeline.ledger().settled() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    let ledger = pipeline.ledger();
    assert_eq!((ledger.acked, ledger.retried), (2, 1), "{ledger}");
    pipeline.drain(LONG).await.unwrap();
    let mut reader = log.group("audit", StartAt::Oldest).await.unwrap();
    let mut entries = Vec::new();
    reader.read(10, &mut entries).await.unwrap();
    assert_eq!(entries[0].payload, b"1");
}
