//! Order of messages with the same key.

use std::time::Duration;

use stage_queue::{Leased, NewMessage, Queue, Topic, TopicOptions};

use crate::support::{Fixture, fast, lease, payloads};

async fn ordered(queue: &Queue) -> Topic {
    queue
        .create_topic("t", TopicOptions::new().ordered())
        .await
        .unwrap()
}

async fn enqueue(topic: &Topic, texts: &[&str]) {
    // The key is the first letter.
    let messages = texts
        .iter()
        .map(|text| NewMessage::new(*text).with_key(&text[..1]));
    topic.enqueue_all(messages).await.unwrap();
}

#[tokio::test]
async fn later_messages_of_a_key_wait_behind_a_retry() {
    let fixture = Fixture::new();
    let topic = ordered(&fixture.queue).await;
    enqueue(&topic, &["a1", "a2", "b1", "a3"]).await;
    let first = lease(&topic, 1).await;
    fixture
        .queue
        .settle(&mut [first[0].retry(Duration::from_secs(1))])
        .await
        .unwrap();
    let others = lease(&topic, 10).await;
    assert_eq!(payloads(&others), ["b1"]);
    // One that comes later waits, too.
    enqueue(&topic, &["a4", "c1"]).await;
    assert_eq!(payloads(&lease(&topic, 10).await), ["c1"]);
    assert_eq!(fixture.stats("t").await.ready, 3);

    fixture.advance(1_000);
    let again = lease(&topic, 10).await;
    assert_eq!(
        (payloads(&again), again[0].deliveries),
        (vec!["a1".to_owned()], 2)
    );
    fixture.queue.settle(&mut [again[0].ack()]).await.unwrap();
    let rest = lease(&topic, 10).await;
    assert_eq!(payloads(&rest), ["a2", "a3", "a4"]);
    let mut settled: Vec<_> = rest.iter().map(Leased::ack).collect();
    fixture.queue.settle(&mut settled).await.unwrap();
    let stats = fixture.stats("t").await;
    assert_eq!(
        (stats.ready, stats.delayed, stats.leased, stats.bytes),
        (0, 0, 2, 6)
    );
}

#[tokio::test]
async fn what_is_released_behind_a_retry_comes_after_it() {
    let fixture = Fixture::new();
    let topic = ordered(&fixture.queue).await;
    enqueue(&topic, &["a1", "a2", "a3"]).await;
    let all = lease(&topic, 10).await;
    assert_eq!(all.len(), 3);
    let mut settled = [
        all[2].release(),
        all[0].retry(Duration::from_secs(1)),
        all[1].release(),
    ];
    fixture.queue.settle(&mut settled).await.unwrap();
    assert!(lease(&topic, 10).await.is_empty());
    fixture.advance(1_000);
    let again = lease(&topic, 10).await;
    assert_eq!(payloads(&again), ["a1"]);
    fixture
        .queue
        .settle(&mut [again[0].reject("no")])
        .await
        .unwrap();
    assert_eq!(payloads(&lease(&topic, 10).await), ["a2", "a3"]);
}

#[tokio::test]
async fn a_key_that_another_node_holds_is_left_to_it() {
    let fixture = Fixture::new();
    let topic = ordered(&fixture.queue).await;
    let other = Queue::open(fixture.path(), fast(&fixture.clock)).unwrap();
    let elsewhere = other.topic("t");
    enqueue(&topic, &["a1", "a2", "b1", "a3"]).await;
    let first = lease(&topic, 1).await;
    let theirs = lease(&elsewhere, 10).await;
    assert_eq!(payloads(&theirs), ["b1"]);
    fixture.queue.settle(&mut [first[0].ack()]).await.unwrap();
    assert_eq!(payloads(&lease(&elsewhere, 10).await), ["a2", "a3"]);
    // They end with the other node, in order.
    drop(elsewhere);
    other.close().await.unwrap();
    assert_eq!(payloads(&lease(&topic, 10).await), ["a2", "b1", "a3"]);
}

#[tokio::test]
async fn messages_without_a_key_wait_for_nobody() {
    let fixture = Fixture::new();
    let topic = ordered(&fixture.queue).await;
    topic.enqueue_all(["1", "2"]).await.unwrap();
    let first = lease(&topic, 1).await;
    fixture
        .queue
        .settle(&mut [first[0].retry(Duration::from_secs(1))])
        .await
        .unwrap();
    assert_eq!(payloads(&lease(&topic, 10).await), ["2"]);
}

#[tokio::test]
async fn a_message_that_is_scheduled_for_later_holds_nobody_up() {
    let fixture = Fixture::new();
    let topic = ordered(&fixture.queue).await;
    topic
        .enqueue(
            NewMessage::new("a1")
                .with_key("a")
                .with_delay(Duration::from_secs(1)),
        )
        .await
        .unwrap();
    enqueue(&topic, &["a2"]).await;
    assert_eq!(payloads(&lease(&topic, 10).await), ["a2"]);
}

#[tokio::test]
async fn a_hot_key_behind_a_retry_does_not_slow_down_the_others() {
    let fixture = Fixture::new();
    let topic = ordered(&fixture.queue).await;
    enqueue(&topic, &["a1"]).await;
    let first = lease(&topic, 1).await;
    fixture
        .queue
        .settle(&mut [first[0].retry(Duration::from_secs(1))])
        .await
        .unwrap();
    // More than one lease looks at.
    let waiting = (0..25_000).map(|n| NewMessage::new(format!("a{n}")).with_key("a"));
    topic.enqueue_all(waiting).await.unwrap();
    enqueue(&topic, &["b1"]).await;
    let mut out = Vec::new();
    topic
        .lease_or_wait(10, stage_queue::LeaseOptions::new(), &mut out)
        .await
        .unwrap();
    assert_eq!(payloads(&out), ["b1"]);
}
