//! What users of other queues have reported, as scenarios of this one. Others stand beside what
//! they are about: in `bounds.rs` (persist-queue #78) and `processes.rs` (jentic-one PR 529,
//! litequeue #2, huey #123, OpenViking #3225, machinist #162).

use std::sync::Arc;
use std::time::Duration;

use stage_queue::{LeaseOptions, ManualClock, NewMessage, Queue, QueueOptions};

use crate::support::{Fixture, fast, lease, payloads};

/// huey #915: scheduled tasks were removed from one table and then put into another, and those
/// in between were lost. Here more of them are due at once than one lease makes ready.
#[tokio::test]
async fn messages_that_are_due_at_once_are_all_delivered() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    let all = (0..25_000)
        .map(|n: u64| NewMessage::new(n.to_string()).with_delay(Duration::from_millis(1 + n % 7)));
    topic.enqueue_all(all).await.unwrap();
    fixture.advance(7);
    let mut seen = std::collections::HashSet::new();
    loop {
        let leased = lease(&topic, 1_000).await;
        if leased.is_empty() {
            break;
        }
        seen.extend(leased.iter().map(|one| one.id));
    }
    assert_eq!(seen.len(), 25_000);
}

/// sidekiq #1965, #1600: a job that kills its process is retried for ever, because the count is
/// kept by the process. Here closing without a verdict stands for the end of the process; real
/// kills are in `kill.rs`.
#[tokio::test]
async fn a_message_that_ends_its_process_each_time_becomes_a_dead_letter() {
    let mut fixture = Fixture::new();
    fixture
        .queue
        .topic("t")
        .enqueue_all(["poison", "good"])
        .await
        .unwrap();
    for delivery in 1..=3 {
        let topic = fixture.queue.topic("t");
        let mut leased = Vec::new();
        topic
            .lease(1, LeaseOptions::new().max_deliveries(3), &mut leased)
            .await
            .unwrap();
        assert_eq!(
            (payloads(&leased), leased[0].deliveries),
            (vec!["poison".to_owned()], delivery)
        );
        fixture = fixture.reopen().await;
    }
    let topic = fixture.queue.topic("t");
    let mut leased = Vec::new();
    topic
        .lease(1, LeaseOptions::new().max_deliveries(3), &mut leased)
        .await
        .unwrap();
    topic
        .lease(1, LeaseOptions::new().max_deliveries(3), &mut leased)
        .await
        .unwrap();
    assert_eq!(payloads(&leased), ["good"]);
    let letters = topic.dead_letters().list(None, 9).await.unwrap();
    assert_eq!(
        &*letters[0].reason,
        "delivered 3 times without a verdict that ended it"
    );
}

/// unstract PR 2108: the number of a message stays the same over deliveries, so it must not be
/// enough to acknowledge: a late ack deleted the claim of somebody else.
#[tokio::test]
async fn a_late_ack_does_not_end_the_lease_of_somebody_else() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic.enqueue("a").await.unwrap();
    let first = lease(&topic, 1).await;
    let second_node = Queue::open(fixture.path(), fast(&fixture.clock)).unwrap();
    fixture
        .queue
        .settle(&mut [first[0].release()])
        .await
        .unwrap();
    let second = lease(&second_node.topic("t"), 1).await;
    // Even the numbers of both leases are the same.
    assert_eq!(first[0].token, second[0].token);
    let mut late = [first[0].ack()];
    fixture.queue.settle(&mut late).await.unwrap();
    assert!(late[0].stale);
    let mut current = [second[0].ack()];
    second_node.settle(&mut current).await.unwrap();
    assert!(!current[0].stale);
}

/// conductor PR 738: delays below a second did not work.
#[tokio::test]
async fn a_delay_of_a_millisecond_is_one() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic
        .enqueue(NewMessage::new("a").with_delay(Duration::from_millis(1)))
        .await
        .unwrap();
    assert!(lease(&topic, 1).await.is_empty());
    fixture.advance(1);
    assert_eq!(lease(&topic, 1).await.len(), 1);
}

/// apalis-sqlite #75: with several kinds of jobs in one table, a worker got jobs of another kind.
#[tokio::test]
async fn topics_do_not_mix() {
    let fixture = Fixture::new();
    let topics: Vec<_> = (0..10)
        .map(|n| fixture.queue.topic(&format!("t{n}")))
        .collect();
    let enqueued = topics.iter().map(|topic| async move {
        for n in 0..20 {
            topic
                .enqueue(format!("{} {n}", topic.name()))
                .await
                .unwrap();
        }
    });
    futures::future::join_all(enqueued).await;
    for topic in &topics {
        let leased = lease(topic, 100).await;
        let expected: Vec<String> = (0..20).map(|n| format!("{} {n}", topic.name())).collect();
        assert_eq!(payloads(&leased), expected);
    }
}

/// apalis #530: a task that takes long is taken for an orphan, and runs twice. Here the node
/// keeps all its leases, without anybody calling anything.
#[tokio::test]
async fn a_message_that_takes_longer_than_the_visibility_timeout_is_not_delivered_twice() {
    let timeout = |options: QueueOptions| options.visibility_timeout(Duration::from_millis(100));
    let fixture = Fixture::with(timeout);
    let topic = fixture.queue.topic("t");
    topic.enqueue("long").await.unwrap();
    let leased = lease(&topic, 1).await;
    let other = Queue::open(fixture.path(), timeout(fast(&fixture.clock))).unwrap();
    let mut out = Vec::new();
    let waiting = other.topic("t");
    let waited = waiting.lease_or_wait(1, LeaseOptions::new(), &mut out);
    // Ten times the timeout.
    assert!(
        tokio::time::timeout(Duration::from_secs(1), waited)
            .await
            .is_err()
    );
    let mut settled = [leased[0].ack()];
    fixture.queue.settle(&mut settled).await.unwrap();
    assert!(!settled[0].stale);
}

/// Fault 29: the clock of one process jumps by a day, ahead or back. Leases do not depend on it.
#[tokio::test]
async fn a_clock_that_jumps_ends_no_lease_and_loses_nothing() {
    const DAY: i64 = 24 * 3_600 * 1_000;
    for jump in [DAY, -DAY] {
        let fixture = Fixture::new();
        let topic = fixture.queue.topic("t");
        topic.enqueue_all(["a", "b"]).await.unwrap();
        topic
            .enqueue(NewMessage::new("delayed").with_delay(Duration::from_secs(3_600)))
            .await
            .unwrap();
        let ours = lease(&topic, 1).await;
        let jumped = Arc::new(ManualClock::new(1_000_000 + jump));
        let other = Queue::open(fixture.path(), fast(&jumped)).unwrap();
        let theirs = lease(&other.topic("t"), 9).await;
        // A delay ends by the clock of whoever leases: early or late by the jump.
        let expected: &[&str] = if jump > 0 { &["b", "delayed"] } else { &["b"] };
        assert_eq!(payloads(&theirs), expected);
        let mut settled = [ours[0].ack()];
        fixture.queue.settle(&mut settled).await.unwrap();
        assert!(!settled[0].stale);
        drop(other);
        if jump < 0 {
            fixture.advance(3_600_000);
        }
        let mut left = Vec::new();
        while left.len() < theirs.len() + usize::from(jump < 0) {
            topic
                .lease_or_wait(9, LeaseOptions::new(), &mut left)
                .await
                .unwrap();
        }
        assert!(left.iter().any(|one| one.payload == b"delayed"));
    }
}

/// qdrant-loader PR 363: the deadline of a lease was computed before waiting for the lock. Here
/// a delay counts from when the message is written.
#[tokio::test]
async fn a_delay_counts_from_when_the_message_is_written() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic.enqueue("first").await.unwrap();
    let other = rusqlite::Connection::open(fixture.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let enqueue = tokio::spawn({
        let topic = topic.clone();
        async move {
            topic
                .enqueue(NewMessage::new("a").with_delay(Duration::from_millis(100)))
                .await
                .unwrap()
        }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    fixture.advance(1_000);
    other.execute_batch("ROLLBACK").unwrap();
    enqueue.await.unwrap();
    assert_eq!(payloads(&lease(&topic, 9).await), ["first"]);
    fixture.advance(100);
    assert_eq!(payloads(&lease(&topic, 9).await), ["a"]);
}

/// A delay without end is one that nobody lives to see, and no overflow.
#[tokio::test]
async fn delays_without_end_are_long() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic
        .enqueue(NewMessage::new("later").with_delay(Duration::MAX))
        .await
        .unwrap();
    topic.enqueue("now").await.unwrap();
    let mut leased = Vec::new();
    topic
        .lease(10, LeaseOptions::new(), &mut leased)
        .await
        .unwrap();
    assert_eq!(leased.len(), 1);
    let retry = leased[0].retry(Duration::MAX);
    fixture.queue.settle(&mut [retry]).await.unwrap();
    leased.clear();
    topic
        .lease(10, LeaseOptions::new(), &mut leased)
        .await
        .unwrap();
    assert!(leased.is_empty());
    let stats = fixture.stats("t").await;
    assert_eq!((stats.delayed, stats.ready, stats.leased), (2, 0, 0));
}
