//! Tests that see planted bugs which the other tests do not: see `tests/planted`.

use std::time::Duration;

use stage_queue::{LeaseOptions, Leased, NewMessage, Queue, Topic, TopicOptions};

use crate::support::{Fixture, fast, lease, payloads};

/// The verdicts of many deliveries in a row are looked at together.
#[tokio::test]
async fn many_late_acks_in_a_row_do_not_end_the_leases_of_somebody_else() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic
        .enqueue_all((0..20).map(|n| n.to_string()))
        .await
        .unwrap();
    let first = lease(&topic, 20).await;
    let mut settled: Vec<_> = first.iter().map(|one| one.retry(Duration::ZERO)).collect();
    fixture.queue.settle(&mut settled).await.unwrap();
    let second = lease(&topic, 20).await;
    assert_eq!(payloads(&second), payloads(&first));
    let mut late: Vec<_> = first.iter().map(Leased::ack).collect();
    fixture.queue.settle(&mut late).await.unwrap();
    assert!(late.iter().all(|one| one.stale));
    let stats = fixture.stats("t").await;
    assert_eq!((stats.leased, stats.acked), (20, 0));
    let mut settled: Vec<_> = second.iter().map(Leased::ack).collect();
    fixture.queue.settle(&mut settled).await.unwrap();
    assert!(settled.iter().all(|one| !one.stale));
}

/// An ordered topic with messages of one key, and the same topic in another node.
async fn two_nodes(texts: &[&str]) -> (Fixture, Topic, Queue, Topic) {
    let fixture = Fixture::new();
    let options = TopicOptions::new().ordered();
    let here = fixture.queue.create_topic("t", options).await.unwrap();
    let other = Queue::open(fixture.path(), fast(&fixture.clock)).unwrap();
    let there = other.topic("t");
    enqueue(&here, texts).await;
    (fixture, here, other, there)
}

async fn enqueue(topic: &Topic, texts: &[&str]) {
    let messages = texts
        .iter()
        .map(|text| NewMessage::new(*text).with_key("a"));
    topic.enqueue_all(messages).await.unwrap();
}

#[tokio::test]
async fn many_acks_in_a_row_let_their_key_go() {
    let (fixture, here, _other, there) = two_nodes(&["a1", "a2", "a3", "a4", "a5", "a6"]).await;
    let leased = lease(&here, 6).await;
    enqueue(&here, &["a7"]).await;
    assert!(lease(&there, 10).await.is_empty());
    let mut settled: Vec<_> = leased.iter().map(Leased::ack).collect();
    fixture.queue.settle(&mut settled).await.unwrap();
    assert_eq!(payloads(&lease(&there, 10).await), ["a7"]);
}

/// The node that holds the key may lease more of it, but not past what it has parked.
#[tokio::test]
async fn a_message_waits_behind_an_earlier_one_that_is_parked() {
    let (fixture, here, _other, there) = two_nodes(&["a1", "a2"]).await;
    let first = lease(&here, 1).await;
    // It parks the second.
    assert!(lease(&there, 10).await.is_empty());
    enqueue(&here, &["a3"]).await;
    assert!(lease(&here, 10).await.is_empty());
    fixture.queue.settle(&mut [first[0].ack()]).await.unwrap();
    assert_eq!(payloads(&lease(&here, 10).await), ["a2", "a3"]);
}

#[tokio::test]
async fn what_is_parked_behind_the_leases_of_a_node_comes_when_they_end() {
    let (_fixture, here, other, there) = two_nodes(&["a1", "a2", "a3"]).await;
    assert_eq!(lease(&there, 1).await.len(), 1);
    assert!(lease(&here, 10).await.is_empty());
    drop(there);
    other.close().await.unwrap();
    let leased = lease(&here, 10).await;
    assert_eq!(payloads(&leased), ["a1", "a2", "a3"]);
    // Only the first was delivered before.
    let deliveries: Vec<u32> = leased.iter().map(|one| one.deliveries).collect();
    assert_eq!(deliveries, [2, 1, 1]);
}

#[tokio::test]
async fn a_dead_letter_at_the_lease_lets_its_key_go() {
    let (fixture, here, _other, _there) = two_nodes(&["a1", "a2"]).await;
    let first = lease(&here, 1).await;
    let mut settled = [first[0].retry(Duration::from_secs(1))];
    fixture.queue.settle(&mut settled).await.unwrap();
    assert!(lease(&here, 10).await.is_empty());
    fixture.advance(1_000);
    let mut out = Vec::new();
    let once = LeaseOptions::new().max_deliveries(1);
    here.lease(10, once, &mut out).await.unwrap();
    assert_eq!(payloads(&out), ["a2"]);
    assert_eq!(fixture.stats("t").await.dead, 1);
}

/// Damage that is wider than what is intact behind it, as of a lost block of the disk.
#[tokio::test]
async fn what_is_behind_wide_damage_is_salvaged() {
    let fixture = Fixture::new();
    let text = |n: u64| format!("message {n:03}: {}", "x".repeat(1_000));
    let topic = fixture.queue.topic("t");
    topic.enqueue_all((1..=300).map(text)).await.unwrap();
    fixture.queue.close().await.unwrap();
    let path = fixture.path();
    let mut bytes = std::fs::read(&path).unwrap();
    for page in bytes.chunks_mut(4_096) {
        let holds = |n: u64| {
            let head = format!("message {n:03}: ");
            page.windows(head.len()).any(|at| at == head.as_bytes())
        };
        if (100..=240).any(holds) {
            page.fill(0);
        }
    }
    std::fs::write(&path, bytes).unwrap();
    let to = fixture.dir.path().join("salvaged.db");
    stage_queue::salvage(&path, &to).unwrap();
    let queue = Queue::open(&to, fast(&fixture.clock)).unwrap();
    let found = payloads(&lease(&queue.topic("t"), 1_000).await);
    // Pages are shared with a few neighbours of what is damaged.
    for n in (1..=90).chain(250..=300) {
        assert!(found.contains(&text(n)), "message {n}");
    }
    assert!(!found.contains(&text(170)));
}
