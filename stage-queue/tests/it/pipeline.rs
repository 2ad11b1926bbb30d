//! The queue as source and sink of an acknowledged pipeline.

use std::time::Duration;

use stage_pipeline::policy::Retry;
use stage_pipeline::{
    Batcher, Failed, Guarantee, Message, MessageBatch, Step, TraceContext, acked, batch_handler_fn,
    handler_fn,
};
use stage_queue::NewMessage;

use crate::support::{Fixture, lease, payloads};

#[tokio::test]
async fn a_pipeline_moves_messages_from_topic_to_topic() {
    let fixture = Fixture::new();
    let (from, to) = (fixture.queue.topic("from"), fixture.queue.topic("to"));
    from.enqueue_all(
        (0..500).map(|n| NewMessage::new(n.to_string()).with_key(format!("{}", n % 7))),
    )
    .await
    .unwrap();
    from.enqueue(NewMessage::new("traced").with_header("traceparent", "00-1-2-01"))
        .await
        .unwrap();
    let (source, sink) = (from.clone(), to.clone());
    let pipeline = acked("move")
        .source(move || source.source().end_when_empty())
        .require(Guarantee::Durable)
        .step(Step::new("poison").concurrency(4), || {
            handler_fn(|message: &mut Message<Vec<u8>>| {
                if message.data == b"13" {
                    Err(Failed::reject("unlucky"))
                } else {
                    Ok(())
                }
            })
        })
        .batcher(
            Batcher::new("to")
                .size(50)
                .timeout(Duration::from_millis(20)),
            move || {
                sink.sink(|message: &Message<Vec<u8>>| {
                    let key = message.metadata().key().unwrap_or_default();
                    Ok(NewMessage::new(message.data.clone()).with_key(key))
                })
            },
        )
        .start()
        .unwrap();
    pipeline.join().await.unwrap();
    let ledger = pipeline.ledger();
    assert_eq!(
        (
            ledger.leased,
            ledger.acked,
            ledger.rejected,
            ledger.in_flight
        ),
        (501, 500, 1, 0)
    );

    let stats = fixture.stats("from").await;
    assert_eq!(
        (stats.acked, stats.dead, stats.leased, stats.ready),
        (500, 1, 0, 0)
    );
    let letters = from.dead_letters().list(None, 10).await.unwrap();
    assert_eq!(letters[0].payload, b"13");
    assert!(
        letters[0].reason.contains("unlucky"),
        "{}",
        letters[0].reason
    );

    let mut moved = lease(&to, 1_000).await;
    let traced = moved
        .iter()
        .position(|one| one.payload == b"traced")
        .unwrap();
    assert_eq!(
        moved.remove(traced).headers,
        [("traceparent".to_owned(), b"00-1-2-01".to_vec())]
    );
    assert!(moved.iter().all(|one| {
        let n: usize = String::from_utf8(one.payload.clone())
            .unwrap()
            .parse()
            .unwrap();
        one.key.as_deref() == Some(&*(n % 7).to_string())
    }));
    assert_eq!(moved.len(), 499);
}

#[tokio::test]
async fn trace_contexts_go_through() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    let headers = [("traceparent", "00-a-b-01"), ("tracestate", "x=y")];
    let message = headers
        .iter()
        .fold(NewMessage::new("m"), |message, (name, value)| {
            message.with_header(*name, *value)
        });
    topic.enqueue(message).await.unwrap();
    let source = topic.clone();
    let (seen, mut traces) = tokio::sync::mpsc::unbounded_channel();
    let pipeline = acked("trace")
        .source(move || source.source().end_when_empty())
        .step(Step::new("look"), move || {
            let seen = seen.clone();
            handler_fn(move |message: &mut Message<Vec<u8>>| {
                seen.send(message.metadata().trace().cloned()).unwrap();
                Ok(())
            })
        })
        .start()
        .unwrap();
    pipeline.join().await.unwrap();
    let mut trace = TraceContext::new("00-a-b-01");
    trace.tracestate = "x=y".into();
    assert_eq!(traces.recv().await.unwrap(), Some(trace));
}

#[tokio::test]
async fn what_is_dropped_without_a_runtime_is_settled_nevertheless() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic.enqueue_all(["a", "b"]).await.unwrap();
    let source = topic.clone();
    let (seen, mut taken) = tokio::sync::mpsc::unbounded_channel();
    let pipeline = acked("drop")
        .source(move || source.source())
        .step(Step::new("pass"), || {
            handler_fn(|_: &mut Message<Vec<u8>>| Ok(()))
        })
        .batcher(Batcher::new("b").size(2), move || {
            let seen = seen.clone();
            batch_handler_fn(move |batch: &mut MessageBatch<Vec<u8>>| {
                for message in batch.messages.drain(..) {
                    seen.send(message).unwrap();
                }
                Ok(())
            })
        })
        .start()
        .unwrap();
    let messages = [taken.recv().await.unwrap(), taken.recv().await.unwrap()];
    std::thread::spawn(move || drop(messages)).join().unwrap();
    pipeline.shutdown().await;
    let mut stats = fixture.stats("t").await;
    while stats.leased > 0 {
        tokio::task::yield_now().await;
        stats = fixture.stats("t").await;
    }
    assert_eq!((stats.acked, stats.ready + stats.delayed), (0, 2));
}

#[tokio::test]
async fn a_message_that_fails_is_retried_and_then_buried() {
    let fixture = Fixture::with(|options| {
        options.clock(std::sync::Arc::new(stage_queue::SystemClock::new()))
    });
    let topic = fixture.queue.topic("t");
    topic.enqueue("a").await.unwrap();
    let source = topic.clone();
    let pipeline = acked("fail")
        .source(move || source.source().end_when_empty())
        .retry(
            Retry::default()
                .max_deliveries(3)
                .backoff(Duration::from_millis(1), Duration::from_millis(2)),
        )
        .step(Step::new("fail"), || {
            handler_fn(|_: &mut Message<Vec<u8>>| Err(Failed::new("no")))
        })
        .start()
        .unwrap();
    pipeline.join().await.unwrap();
    let letters = topic.dead_letters().list(None, 10).await.unwrap();
    assert_eq!((letters.len(), letters[0].deliveries), (1, 3));
    let stats = fixture.stats("t").await;
    assert_eq!((stats.retried, stats.rejected), (2, 1));
}

#[tokio::test]
async fn a_drain_leaves_nothing_leased() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic
        .enqueue_all((0..1_000).map(|n| n.to_string()))
        .await
        .unwrap();
    let source = topic.clone();
    let pipeline = acked("drain")
        .source(move || source.source())
        .step(Step::new("work").concurrency(4), || {
            handler_fn(|_: &mut Message<Vec<u8>>| Ok(()))
        })
        .batcher(Batcher::new("b").size(10), || {
            batch_handler_fn(|_: &mut MessageBatch<Vec<u8>>| Ok(()))
        })
        .start()
        .unwrap();
    pipeline.drain(Duration::from_secs(30)).await.unwrap();
    let stats = fixture.stats("t").await;
    let ledger = pipeline.ledger();
    assert_eq!((stats.leased, stats.acked), (0, ledger.acked));
    assert_eq!(stats.acked + stats.ready, 1_000);
    let rest = lease(&topic, 1_000).await;
    assert_eq!(rest.len() as u64, stats.ready);
    assert!(
        rest.iter().all(|one| one.deliveries == 1),
        "{:?}",
        payloads(&rest)
    );
}
