//! Enqueue, lease, settle.

use std::future::Future;
use std::time::Duration;

use stage_queue::{LeaseOptions, Leased, NewMessage, QueueError, TopicOptions};

use crate::support::{Fixture, lease, payloads};

#[tokio::test]
async fn a_message_is_delivered_once_and_gone_after_its_ack() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("orders");
    let message = NewMessage::new("one")
        .with_key("k")
        .with_priority(3)
        .with_header("a", "b")
        .with_header("bin", vec![0xff, 0]);
    let enqueued = topic.enqueue(message).await.unwrap();
    let leased = lease(&topic, 10).await;
    assert_eq!(leased.len(), 1);
    let one = &leased[0];
    assert_eq!((one.id, one.deliveries, one.priority), (enqueued.id, 1, 3));
    assert_eq!(
        (one.payload.as_slice(), one.key.as_deref()),
        (&b"one"[..], Some("k"))
    );
    assert_eq!(
        one.headers,
        [
            ("a".to_owned(), b"b".to_vec()),
            ("bin".to_owned(), vec![0xff, 0])
        ]
    );
    assert!(lease(&topic, 10).await.is_empty());
    let mut settled = [one.ack()];
    fixture.queue.settle(&mut settled).await.unwrap();
    assert!(!settled[0].stale);
    let stats = fixture.stats("orders").await;
    assert_eq!(
        (
            stats.enqueued,
            stats.acked,
            stats.ready,
            stats.leased,
            stats.bytes
        ),
        (1, 1, 0, 0, 0)
    );
    // Nothing of it is left in the file.
    let fixture = fixture.reopen().await;
    assert!(lease(&fixture.queue.topic("orders"), 10).await.is_empty());
}

#[tokio::test]
async fn the_highest_priority_comes_first_and_then_the_order_of_enqueueing() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    for (text, priority) in [
        ("a", 0),
        ("b", -5),
        ("c", 9),
        ("d", 0),
        ("e", 9),
        ("f", i16::MIN),
        ("g", i16::MAX),
    ] {
        topic
            .enqueue(NewMessage::new(text).with_priority(priority))
            .await
            .unwrap();
    }
    let leased = lease(&topic, 3).await;
    assert_eq!(payloads(&leased), ["g", "c", "e"]);
    assert_eq!(leased[0].priority, i16::MAX);
    let leased = lease(&topic, 10).await;
    assert_eq!(payloads(&leased), ["a", "d", "b", "f"]);
    assert_eq!(leased[3].priority, i16::MIN);
}

#[tokio::test]
async fn a_release_does_not_count_and_goes_back_to_its_place() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic.enqueue_all(["a", "b", "c"]).await.unwrap();
    let leased = lease(&topic, 2).await;
    let mut settled = [leased[1].release(), leased[0].release()];
    fixture.queue.settle(&mut settled).await.unwrap();
    let again = lease(&topic, 10).await;
    assert_eq!(payloads(&again), ["a", "b", "c"]);
    assert!(again.iter().all(|one| one.deliveries == 1));
    assert_eq!(fixture.stats("t").await.released, 2);
}

#[tokio::test]
async fn a_retry_waits_for_its_delay_and_counts() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic.enqueue_all(["a", "b"]).await.unwrap();
    let leased = lease(&topic, 1).await;
    fixture
        .queue
        .settle(&mut [leased[0].retry(Duration::from_micros(500_001))])
        .await
        .unwrap();
    assert_eq!(payloads(&lease(&topic, 10).await), ["b"]);
    // Rounded up: not before its time.
    fixture.advance(500);
    assert!(lease(&topic, 10).await.is_empty());
    fixture.advance(1);
    let again = lease(&topic, 10).await;
    assert_eq!(
        (payloads(&again), again[0].deliveries),
        (vec!["a".to_owned()], 2)
    );
}

#[tokio::test]
async fn a_rejected_message_is_a_dead_letter_that_can_be_listed_retried_and_deleted() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic.enqueue_all(["a", "b", "c"]).await.unwrap();
    let leased = lease(&topic, 3).await;
    let mut settled: Vec<_> = leased
        .iter()
        .map(|one| one.reject(format!("{:?} is bad", one.payload)))
        .collect();
    fixture.queue.settle(&mut settled).await.unwrap();
    assert!(lease(&topic, 10).await.is_empty());

    let fixture = fixture.reopen().await;
    let topic = fixture.queue.topic("t");
    let letters = topic.dead_letters().list(None, 2).await.unwrap();
    assert_eq!(letters.len(), 2);
    assert_eq!(
        (
            &*letters[0].reason,
            letters[0].deliveries,
            letters[0].damaged
        ),
        ("[97] is bad", 1, false)
    );
    let rest = topic
        .dead_letters()
        .list(Some(letters[1].id), 10)
        .await
        .unwrap();
    assert_eq!((rest.len(), rest[0].payload.as_slice()), (1, &b"c"[..]));

    assert!(topic.dead_letters().retry(letters[1].id).await.unwrap());
    assert!(!topic.dead_letters().retry(letters[1].id).await.unwrap());
    let again = lease(&topic, 10).await;
    assert_eq!(
        (payloads(&again), again[0].deliveries),
        (vec!["b".to_owned()], 1)
    );
    assert!(topic.dead_letters().delete(letters[0].id).await.unwrap());
    assert_eq!(topic.dead_letters().clear().await.unwrap(), 1);
    assert_eq!(fixture.stats("t").await.dead, 0);
}

#[tokio::test]
async fn a_message_that_was_delivered_too_often_becomes_a_dead_letter_at_the_lease() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic.enqueue_all(["a", "b"]).await.unwrap();
    let cap = LeaseOptions::new().max_deliveries(2);
    for delivery in 1..=2 {
        let mut leased = Vec::new();
        assert_eq!(topic.lease(1, cap, &mut leased).await.unwrap(), 1);
        assert_eq!(
            (leased[0].payload.as_slice(), leased[0].deliveries),
            (&b"a"[..], delivery)
        );
        fixture
            .queue
            .settle(&mut [leased[0].retry(Duration::ZERO)])
            .await
            .unwrap();
    }
    let mut leased = Vec::new();
    assert_eq!(topic.lease(5, cap, &mut leased).await.unwrap(), 1);
    assert_eq!(payloads(&leased), ["b"]);
    let letters = topic.dead_letters().list(None, 10).await.unwrap();
    assert_eq!((letters.len(), letters[0].deliveries), (1, 2));
    assert_eq!(fixture.stats("t").await.rejected, 1);
}

#[tokio::test]
async fn a_verdict_on_an_earlier_delivery_is_stale_and_changes_nothing() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic.enqueue("a").await.unwrap();
    let first = lease(&topic, 1).await;
    fixture
        .queue
        .settle(&mut [first[0].retry(Duration::ZERO)])
        .await
        .unwrap();
    let second = lease(&topic, 1).await;
    assert_eq!(first[0].id, second[0].id);
    let mut late = [first[0].ack()];
    fixture.queue.settle(&mut late).await.unwrap();
    assert!(late[0].stale);
    assert_eq!(fixture.stats("t").await.leased, 1);
    let mut twice = [second[0].ack(), second[0].ack()];
    fixture.queue.settle(&mut twice).await.unwrap();
    assert_eq!((twice[0].stale, twice[1].stale), (false, true));
    assert_eq!(fixture.queue.stats().await.unwrap().stale, 2);
    assert_eq!(fixture.stats("t").await.acked, 1);
}

#[tokio::test]
async fn many_are_acknowledged_at_once_also_with_stale_ones_between() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    let other = fixture.queue.topic("u");
    topic
        .enqueue_all((0..100).map(|n| n.to_string()))
        .await
        .unwrap();
    other
        .enqueue_all((0..10).map(|n| n.to_string()))
        .await
        .unwrap();
    let leased = lease(&topic, 200).await;
    let others = lease(&other, 200).await;
    fixture.queue.settle(&mut [leased[50].ack()]).await.unwrap();
    let mut settled: Vec<_> = leased.iter().chain(&others).map(Leased::ack).collect();
    fixture.queue.settle(&mut settled).await.unwrap();
    let stale: Vec<usize> = settled
        .iter()
        .enumerate()
        .filter(|(_, one)| one.stale)
        .map(|(n, _)| n)
        .collect();
    assert_eq!(stale, [50]);
    let (stats, others) = (fixture.stats("t").await, fixture.stats("u").await);
    assert_eq!((stats.acked, stats.leased, stats.bytes), (100, 0, 0));
    assert_eq!((others.acked, others.leased, others.bytes), (10, 0, 0));
}

#[tokio::test]
async fn verdicts_that_come_out_of_order_are_marked_in_their_places() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic
        .enqueue_all((0..20).map(|n| n.to_string()))
        .await
        .unwrap();
    let leased = lease(&topic, 20).await;
    fixture.queue.settle(&mut [leased[3].ack()]).await.unwrap();
    // Backwards, with a second verdict on one of them at the end.
    let backwards = leased.iter().rev().map(Leased::ack);
    let mut settled: Vec<_> = backwards.chain([leased[7].reject("late")]).collect();
    fixture.queue.settle(&mut settled).await.unwrap();
    let stale: Vec<bool> = settled.iter().map(|one| one.stale).collect();
    let expected: Vec<bool> = (0..=20).map(|at| at == 16 || at == 20).collect();
    assert_eq!(stale, expected);
    let stats = fixture.stats("t").await;
    assert_eq!((stats.acked, stats.dead, stats.leased), (20, 0, 0));
}

#[tokio::test]
async fn delayed_messages_come_at_their_time_in_order() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    for (text, ms) in [("late", 2_000), ("soon", 1_000), ("now", 0)] {
        topic
            .enqueue(NewMessage::new(text).with_delay(Duration::from_millis(ms)))
            .await
            .unwrap();
    }
    assert_eq!(payloads(&lease(&topic, 10).await), ["now"]);
    fixture.advance(999);
    assert!(lease(&topic, 10).await.is_empty());
    fixture.advance(1);
    assert_eq!(payloads(&lease(&topic, 10).await), ["soon"]);
    let stats = fixture.stats("t").await;
    assert_eq!((stats.delayed, stats.leased), (1, 2));
    // The latest time there is does not overflow.
    topic
        .enqueue(NewMessage::new("never").with_delay(Duration::MAX))
        .await
        .unwrap();
    fixture.advance(1_000);
    assert_eq!(payloads(&lease(&topic, 10).await), ["late"]);
}

#[tokio::test]
async fn a_duplicate_within_its_time_is_not_enqueued() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    let message = || NewMessage::new("a").deduplicated("k", Duration::from_secs(1));
    let first = topic.enqueue_all([message(), message()]).await.unwrap();
    assert_eq!((first[0].duplicate, first[1].duplicate), (false, true));
    assert_eq!(first[0].id, first[1].id);
    // Also after the first was processed, and in another opening.
    let leased = lease(&topic, 10).await;
    assert_eq!(leased.len(), 1);
    fixture.queue.settle(&mut [leased[0].ack()]).await.unwrap();
    let fixture = fixture.reopen().await;
    let topic = fixture.queue.topic("t");
    fixture.advance(999);
    assert!(topic.enqueue(message()).await.unwrap().duplicate);
    // Another topic has keys of its own.
    assert!(
        !fixture
            .queue
            .topic("u")
            .enqueue(message())
            .await
            .unwrap()
            .duplicate
    );
    fixture.advance(1);
    assert!(!topic.enqueue(message()).await.unwrap().duplicate);
    let stats = fixture.stats("t").await;
    assert_eq!((stats.enqueued, stats.duplicates, stats.ready), (2, 2, 1));
}

#[tokio::test]
async fn a_waiting_lease_is_woken_by_an_enqueue_and_by_the_end_of_a_delay() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    let waiting = tokio::spawn({
        let topic = topic.clone();
        async move {
            let mut out = Vec::new();
            topic
                .lease_or_wait(10, LeaseOptions::new(), &mut out)
                .await
                .unwrap();
            topic
                .lease_or_wait(10, LeaseOptions::new(), &mut out)
                .await
                .unwrap();
            payloads(&out)
        }
    });
    tokio::task::yield_now().await;
    topic
        .enqueue(NewMessage::new("delayed").with_delay(Duration::from_secs(5)))
        .await
        .unwrap();
    topic.enqueue("now").await.unwrap();
    // The first lease has begun by now, so the second one finds the delayed message alone.
    while fixture.stats("t").await.leased == 0 {
        tokio::task::yield_now().await;
    }
    fixture.advance(5_000);
    assert_eq!(waiting.await.unwrap(), ["now", "delayed"]);
}

#[tokio::test]
async fn a_lease_that_nobody_waits_for_any_more_is_released() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic.enqueue("a").await.unwrap();
    let mut out = Vec::new();
    // Nothing is answered while somebody else writes.
    let other = rusqlite::Connection::open(fixture.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    {
        let leasing = topic.lease(1, LeaseOptions::new(), &mut out);
        futures::pin_mut!(leasing);
        // One poll sends the command.
        let pending = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(leasing.as_mut().poll(cx).is_pending())
        });
        assert!(pending.await);
    }
    other.execute_batch("ROLLBACK").unwrap();
    assert!(out.is_empty());
    let mut again = Vec::new();
    topic
        .lease_or_wait(1, LeaseOptions::new(), &mut again)
        .await
        .unwrap();
    assert_eq!(again[0].deliveries, 1);
}

#[tokio::test]
async fn closing_ends_leases_and_keeps_their_deliveries() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic.enqueue("a").await.unwrap();
    let leased = lease(&topic, 1).await;
    let old = fixture.queue.clone();
    let fixture = fixture.reopen().await;
    let again = lease(&fixture.queue.topic("t"), 1).await;
    assert_eq!(again[0].deliveries, 2);
    assert_eq!(fixture.stats("t").await.expired, 1);
    let late = old.settle(&mut [leased[0].ack()]).await;
    assert!(matches!(late, Err(QueueError::Closed)), "{late:?}");
    let files: Vec<_> = std::fs::read_dir(fixture.dir.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    let locks = files
        .iter()
        .filter(|name| name.to_string_lossy().contains("-node-"))
        .count();
    assert_eq!(locks, 1, "{files:?}");
}

#[tokio::test]
async fn a_priority_in_an_ordered_topic_is_refused() {
    let fixture = Fixture::new();
    let topic = fixture
        .queue
        .create_topic("t", TopicOptions::new().ordered())
        .await
        .unwrap();
    let refused = topic.enqueue(NewMessage::new("a").with_priority(1)).await;
    assert!(
        matches!(refused, Err(QueueError::Priority { priority: 1, .. })),
        "{refused:?}"
    );
    let other = fixture.queue.create_topic("t", TopicOptions::new()).await;
    let Err(error) = other else {
        panic!("opened as it is not")
    };
    assert_eq!(
        error.to_string(),
        "the topic `t` exists and is ordered, and not unordered; open it as it is, or choose another name"
    );
}
