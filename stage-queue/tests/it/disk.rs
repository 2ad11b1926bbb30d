//! Disks that are full, and writes that fail.

use std::time::Duration;

use stage_queue::{LeaseOptions, Queue, QueueError, QueueOptions};

use crate::child::{self, Work, lines, number, numbers};

/// A limit on the size of files makes writes fail within a child, as a full disk does: the
/// kernel refuses the write.
#[cfg(unix)]
#[tokio::test]
async fn a_write_that_fails_stops_the_queue_and_loses_nothing_that_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    // In blocks of 512 bytes; some shells take 1024.
    let limit = "ulimit -f 2048; trap '' XFSZ";
    let work = Work {
        first: 0,
        count: 1_000_000,
        payload: 2_000,
        full: true,
        consume: false,
    };
    let (mut child, output) = child::start(&path, work, Some(limit));
    let told = tokio::task::spawn_blocking(move || lines(output))
        .await
        .unwrap();
    assert!(child.wait().unwrap().success());
    let mut enqueued: Vec<u64> = told
        .iter()
        .filter(|line| line.starts_with('E'))
        .flat_map(|line| numbers(line))
        .map(|(number, _)| number)
        .collect();
    enqueued.sort_unstable();
    assert!(enqueued.len() > 20, "{}", enqueued.len());
    // Every task that goes on gets the same error, and none of them hangs.
    let errors: Vec<&String> = told.iter().filter(|line| line.starts_with('X')).collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    for error in errors {
        assert!(
            error.contains("has stopped") && error.contains("open it again"),
            "{error}"
        );
    }
    // With room, the file is opened again, and all that was answered is there.
    let queue = Queue::open(&path, QueueOptions::new()).unwrap();
    let mut leased = Vec::new();
    queue
        .topic("t")
        .lease(usize::MAX, LeaseOptions::new(), &mut leased)
        .await
        .unwrap();
    let found: std::collections::HashSet<u64> = leased.iter().map(number).collect();
    let missing: Vec<&u64> = enqueued
        .iter()
        .filter(|number| !found.contains(number))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(found.len(), leased.len());
    stage_queue::check(&path).unwrap();
}

#[tokio::test]
async fn a_queue_that_has_stopped_stays_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let queue = Queue::open(&path, QueueOptions::new()).unwrap();
    let topic = queue.topic("t");
    topic.enqueue("a").await.unwrap();
    // Another program breaks a table.
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("ALTER TABLE ready RENAME TO gone")
        .unwrap();
    let first = topic.enqueue("b").await.unwrap_err();
    assert!(matches!(first, QueueError::Damaged { .. }), "{first}");
    other
        .execute_batch("ALTER TABLE gone RENAME TO ready")
        .unwrap();
    drop(other);
    // The cause may have gone; nobody tries again on this handle.
    let mut out = Vec::new();
    let leased = topic
        .lease(1, LeaseOptions::new(), &mut out)
        .await
        .unwrap_err();
    assert_eq!(leased.to_string(), first.to_string());
    let waited = tokio::time::timeout(
        Duration::from_secs(60),
        topic.lease_or_wait(1, LeaseOptions::new(), &mut out),
    );
    assert!(waited.await.expect("it hangs").is_err());
    assert!(queue.close().await.is_err());
    assert!(matches!(topic.enqueue("c").await, Err(QueueError::Closed)));
    // What was answered is there, and what was not is not.
    let queue = Queue::open(&path, QueueOptions::new()).unwrap();
    queue
        .topic("t")
        .lease(10, LeaseOptions::new(), &mut out)
        .await
        .unwrap();
    assert_eq!(out.len(), 1);
}

#[tokio::test]
async fn those_who_wait_for_messages_or_room_hear_that_the_queue_has_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let queue = Queue::open(
        &path,
        QueueOptions::new().poll_interval(Duration::from_millis(5)),
    )
    .unwrap();
    let full = queue
        .create_topic("full", stage_queue::TopicOptions::new().max_messages(1))
        .await
        .unwrap();
    full.enqueue("a").await.unwrap();
    let empty = queue.topic("empty");
    let room = tokio::spawn(async move { full.enqueue("b").await });
    let waiting = tokio::spawn(async move {
        let mut out = Vec::new();
        empty.lease_or_wait(1, LeaseOptions::new(), &mut out).await
    });
    tokio::task::yield_now().await;
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("ALTER TABLE ready RENAME TO gone")
        .unwrap();
    drop(queue.topic("t").enqueue("x").await);
    let limit = Duration::from_secs(60);
    assert!(
        tokio::time::timeout(limit, room)
            .await
            .expect("it hangs")
            .unwrap()
            .is_err()
    );
    assert!(
        tokio::time::timeout(limit, waiting)
            .await
            .expect("it hangs")
            .unwrap()
            .is_err()
    );
}

#[tokio::test]
async fn a_file_of_something_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text");
    std::fs::write(
        &text,
        "certainly not a queue, but long enough to look at".repeat(100),
    )
    .unwrap();
    let error = Queue::open(&text, QueueOptions::new()).unwrap_err();
    assert!(matches!(error, QueueError::Damaged { .. }), "{error}");

    let other = dir.path().join("other.db");
    rusqlite::Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE mine(x)")
        .unwrap();
    let error = Queue::open(&other, QueueOptions::new()).unwrap_err();
    assert!(matches!(error, QueueError::NotAQueue { .. }), "{error}");
    assert!(
        error.to_string().contains("an SQLite file with 1 tables"),
        "{error}"
    );
    let tables: i64 = rusqlite::Connection::open(&other)
        .unwrap()
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1);

    let newer = dir.path().join("newer.db");
    Queue::open(&newer, QueueOptions::new())
        .unwrap()
        .close()
        .await
        .unwrap();
    rusqlite::Connection::open(&newer)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = Queue::open(&newer, QueueOptions::new()).unwrap_err();
    assert!(error.to_string().contains("version 99"), "{error}");

    let error =
        Queue::open(dir.path().join("no/such/dir/queue.db"), QueueOptions::new()).unwrap_err();
    assert!(matches!(error, QueueError::Open { .. }), "{error}");
}
