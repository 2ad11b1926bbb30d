//! What happens when a topic or the file is full.

use std::time::Duration;

use stage_queue::{NewMessage, QueueError, QueueOptions, TopicOptions, WhenFull};

use crate::support::{Fixture, lease, payloads, within};

#[tokio::test]
async fn a_full_topic_refuses() {
    let fixture = Fixture::new();
    let options = TopicOptions::new()
        .max_messages(2)
        .when_full(WhenFull::Refuse);
    let topic = fixture.queue.create_topic("t", options).await.unwrap();
    topic.enqueue_all(["a", "b"]).await.unwrap();
    let refused = topic.enqueue("c").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the topic `t` is full: it holds 2 messages of 2; ack messages, raise the bound, or choose `WhenFull::Wait`"
    );
    // A leased message still takes room; an acknowledged one does not.
    let leased = lease(&topic, 1).await;
    assert!(topic.enqueue("c").await.is_err());
    fixture.queue.settle(&mut [leased[0].ack()]).await.unwrap();
    topic.enqueue("c").await.unwrap();
    // All or none.
    let leased = lease(&topic, 1).await;
    fixture.queue.settle(&mut [leased[0].ack()]).await.unwrap();
    assert!(topic.enqueue_all(["d", "e"]).await.is_err());
    assert_eq!(fixture.stats("t").await.ready, 1);
}

#[tokio::test]
async fn what_never_fits_is_refused_also_by_those_that_wait() {
    let fixture = Fixture::new();
    let topic = fixture
        .queue
        .create_topic("t", TopicOptions::new().max_bytes(10))
        .await
        .unwrap();
    let refused = topic.enqueue(vec![0; 11]).await.unwrap_err();
    assert!(
        matches!(
            refused,
            QueueError::TooLarge {
                value: 11,
                bound: 10,
                ..
            }
        ),
        "{refused}"
    );
    topic
        .enqueue(NewMessage::new(vec![0; 7]).with_key("abc"))
        .await
        .unwrap();
    assert_eq!(fixture.stats("t").await.bytes, 10);
}

#[tokio::test]
async fn those_who_wait_get_room_in_the_order_in_which_they_came() {
    let fixture = Fixture::new();
    let topic = fixture
        .queue
        .create_topic("t", TopicOptions::new().max_messages(2))
        .await
        .unwrap();
    topic.enqueue_all(["a", "b"]).await.unwrap();
    let (done, mut order) = tokio::sync::mpsc::unbounded_channel();
    let mut waiting = Vec::new();
    for texts in [vec!["c", "d"], vec!["e"], vec!["f"]] {
        let (topic, done) = (topic.clone(), done.clone());
        waiting.push(tokio::spawn(async move {
            topic.enqueue_all(texts.clone()).await.unwrap();
            done.send(texts[0]).unwrap();
        }));
        tokio::task::yield_now().await;
    }
    // Somebody who does not wait any more gets no room.
    waiting[1].abort();
    assert!(waiting.remove(1).await.unwrap_err().is_cancelled());
    let leased = lease(&topic, 2).await;
    fixture.queue.settle(&mut [leased[0].ack()]).await.unwrap();
    // There is room for one, but the first in line needs two.
    assert!(order.try_recv().is_err());
    fixture.queue.settle(&mut [leased[1].ack()]).await.unwrap();
    assert_eq!(within(order.recv()).await, Some("c"));
    let leased = lease(&topic, 2).await;
    fixture.queue.settle(&mut [leased[0].ack()]).await.unwrap();
    assert_eq!(within(order.recv()).await, Some("f"));
    assert_eq!(payloads(&lease(&topic, 10).await), ["f"]);
}

#[tokio::test]
async fn the_oldest_of_the_lowest_priority_are_dropped_and_counted() {
    let fixture = Fixture::new();
    let options = TopicOptions::new()
        .max_messages(4)
        .when_full(WhenFull::DropOldest);
    let topic = fixture.queue.create_topic("t", options).await.unwrap();
    for (text, priority) in [("a", 1), ("b", 0), ("c", 0), ("d", 5)] {
        topic
            .enqueue(NewMessage::new(text).with_priority(priority))
            .await
            .unwrap();
    }
    topic.enqueue_all(["e", "f", "g"]).await.unwrap();
    let stats = fixture.stats("t").await;
    assert_eq!((stats.dropped, stats.ready, stats.bytes), (3, 4, 4));
    let leased = lease(&topic, 3).await;
    assert_eq!(payloads(&leased), ["d", "e", "f"]);
    // What is leased is not dropped; and if there is too little else, nothing is.
    let refused = topic.enqueue_all(["h", "i"]).await.unwrap_err();
    assert!(matches!(refused, QueueError::Full { .. }), "{refused}");
    assert_eq!(fixture.stats("t").await.dropped, 3);
    topic.enqueue("h").await.unwrap();
    assert_eq!(payloads(&lease(&topic, 3).await), ["h"]);
}

#[tokio::test]
async fn a_full_file_refuses_messages_and_takes_verdicts() {
    let fixture = Fixture::with(|options| options.max_file_bytes(1 << 20));
    let options = TopicOptions::new().when_full(WhenFull::Refuse);
    let topic = fixture.queue.create_topic("t", options).await.unwrap();
    let mut enqueued = 0;
    let refused = loop {
        match topic.enqueue(vec![7; 10_000]).await {
            Ok(_) => enqueued += 1,
            Err(error) => break error,
        }
    };
    assert!(refused.to_string().contains("the file uses"), "{refused}");
    assert!((80..100).contains(&enqueued), "{enqueued}");
    // Verdicts and dead letters have room all the same.
    let leased = lease(&topic, 100).await;
    assert_eq!(leased.len(), enqueued);
    let mut settled: Vec<_> = leased
        .iter()
        .map(|one| one.reject("x".repeat(200)))
        .collect();
    fixture.queue.settle(&mut settled).await.unwrap();
    assert_eq!(topic.dead_letters().clear().await.unwrap(), enqueued as u64);
    topic.enqueue(vec![7; 10_000]).await.unwrap();
    assert!(fixture.queue.stats().await.unwrap().file_bytes <= 1 << 20);
}

/// persist-queue #78: what was acknowledged kept its place in the file.
#[tokio::test]
async fn a_file_that_was_large_becomes_small_again() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic
        .enqueue_all((0..3_000).map(|_| vec![7; 10_000]))
        .await
        .unwrap();
    // A message in the middle stays: it must not keep the rest.
    let leased = lease(&topic, 3_000).await;
    let mut settled: Vec<_> = leased
        .iter()
        .enumerate()
        .filter(|(n, _)| *n != 1_500)
        .map(|(_, one)| one.ack())
        .collect();
    fixture.queue.settle(&mut settled).await.unwrap();
    // The queue does it beside its work, a little with each poll.
    let shrunk = async {
        while std::fs::metadata(fixture.path()).unwrap().len() > 8 << 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), shrunk)
        .await
        .expect("it stays large");
    let used = fixture.queue.stats().await.unwrap().used_bytes;
    assert!(used < 1 << 20, "{used}");
}

#[tokio::test]
async fn options_out_of_range_are_named() {
    let dir = tempfile::tempdir().unwrap();
    for (options, text) in [
        (
            QueueOptions::new().visibility_timeout(Duration::ZERO),
            "visibility_timeout is 0ns, which is not allowed; choose 100ms to 86400s",
        ),
        (
            QueueOptions::new().poll_interval(Duration::from_secs(61)),
            "poll_interval is 61s, which is not allowed; choose 1ms to 60s",
        ),
        (
            QueueOptions::new().max_file_bytes(1),
            "max_file_bytes is 1, which is not allowed; choose 1048576 (1 MiB) and more",
        ),
    ] {
        let error = stage_queue::Queue::open(dir.path().join("q"), options).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
}
