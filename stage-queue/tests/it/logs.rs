//! Logs: groups, marks, replay, retention.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stage_queue::{
    LogEntry, LogOptions, LogReader, LogStats, MessageId, NewMessage, Queue, QueueError, StartAt,
};

use crate::support::{Fixture, fast};

async fn read(reader: &mut LogReader, count: usize) -> Vec<LogEntry> {
    let mut out = Vec::new();
    reader.read(count, &mut out).await.unwrap();
    out
}

fn texts(entries: &[LogEntry]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| String::from_utf8(entry.payload.clone()).unwrap())
        .collect()
}

async fn log_stats(queue: &Queue) -> LogStats {
    queue.stats().await.unwrap().logs.remove(0)
}

fn at(ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(ms)
}

#[tokio::test]
async fn groups_read_the_same_entries_each_at_its_own_pace() {
    let fixture = Fixture::new();
    let log = fixture.queue.log("l", LogOptions::new());
    log.append(NewMessage::new("a").with_key("k").with_header("h", "v"))
        .await
        .unwrap();
    log.append_all(["b", "c"]).await.unwrap();
    let mut one = log.group("one", StartAt::Oldest).await.unwrap();
    let mut two = log.group("two", StartAt::Oldest).await.unwrap();
    let entries = read(&mut one, 2).await;
    assert_eq!(texts(&entries), ["a", "b"]);
    assert_eq!(
        (entries[0].key.as_deref(), entries[0].headers.len()),
        (Some("k"), 1)
    );
    assert_eq!(entries[0].appended_at, at(1_000_000));
    assert!(!entries[0].redelivered && !entries[0].damaged);
    assert_eq!(texts(&read(&mut one, 9).await), ["c"]);
    assert!(read(&mut one, 9).await.is_empty());
    assert_eq!(texts(&read(&mut two, 9).await), ["a", "b", "c"]);
    let mut new = log.group("new", StartAt::Newest).await.unwrap();
    log.append("d").await.unwrap();
    assert_eq!(texts(&read(&mut new, 9).await), ["d"]);
}

#[tokio::test]
async fn a_new_reader_begins_behind_the_mark() {
    let fixture = Fixture::new();
    let log = fixture.queue.log("l", LogOptions::new());
    let ids = log.append_all(["a", "b", "c", "d"]).await.unwrap();
    let mut reader = log.group("g", StartAt::Oldest).await.unwrap();
    read(&mut reader, 3).await;
    reader.commit(ids[0]).await.unwrap();
    // A mark never goes back.
    reader.commit(MessageId(0)).await.unwrap();
    let stats = log_stats(&fixture.queue).await;
    assert_eq!((stats.entries, stats.bytes), (4, 4));
    assert_eq!(
        (
            stats.groups[0].mark,
            stats.groups[0].lag,
            stats.groups[0].has_reader
        ),
        (ids[0], 3, true)
    );
    drop(reader);
    let fixture = fixture.reopen().await;
    let log = fixture.queue.log("l", LogOptions::new());
    // Where a known group begins, its mark says.
    let mut reader = log.group("g", StartAt::Newest).await.unwrap();
    let again = read(&mut reader, 9).await;
    assert_eq!(texts(&again), ["b", "c", "d"]);
    assert_eq!(
        again
            .iter()
            .map(|entry| entry.redelivered)
            .collect::<Vec<_>>(),
        [true, true, false]
    );
}

#[tokio::test]
async fn a_group_can_be_replayed_from_a_number_and_from_a_time() {
    let fixture = Fixture::new();
    let log = fixture.queue.log("l", LogOptions::new());
    let other = fixture.queue.log("other", LogOptions::new());
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(log.append(n.to_string()).await.unwrap());
        // Numbers leave some out.
        other.append_all(["x", "y"]).await.unwrap();
        fixture.advance(10);
    }
    let mut reader = log.group("g", StartAt::Id(ids[17])).await.unwrap();
    assert_eq!(texts(&read(&mut reader, 9).await), ["17", "18", "19"]);
    // A number between two entries.
    reader
        .seek(StartAt::Id(MessageId(ids[15].0 + 1)))
        .await
        .unwrap();
    assert_eq!(texts(&read(&mut reader, 2).await), ["16", "17"]);
    for (time, first) in [
        (0, "0"),
        (1_000_000, "0"),
        (1_000_001, "1"),
        (1_000_100, "10"),
        (1_000_190, "19"),
    ] {
        reader.seek(StartAt::Time(at(time))).await.unwrap();
        assert_eq!(texts(&read(&mut reader, 1).await), [first], "{time}");
    }
    reader.seek(StartAt::Time(at(1_000_191))).await.unwrap();
    assert!(read(&mut reader, 1).await.is_empty());
    reader.seek(StartAt::Oldest).await.unwrap();
    assert_eq!(read(&mut reader, 100).await.len(), 20);
}

#[tokio::test]
async fn a_group_has_one_reader_at_a_time() {
    let fixture = Fixture::new();
    let log = fixture.queue.log("l", LogOptions::new());
    let reader = log.group("g", StartAt::Oldest).await.unwrap();
    let second = log.group("g", StartAt::Oldest).await.unwrap_err();
    assert_eq!(
        second.to_string(),
        "the group `g` of the log `l` has another reader; drop that one, or read for another group"
    );
    assert!(matches!(
        log.forget_group("g").await,
        Err(QueueError::GroupTaken { .. })
    ));
    let other = Queue::open(fixture.path(), fast(&fixture.clock)).unwrap();
    let elsewhere = other.log("l", LogOptions::new());
    assert!(elsewhere.group("g", StartAt::Oldest).await.is_err());
    reader.leave().await.unwrap();
    let theirs = elsewhere.group("g", StartAt::Oldest).await.unwrap();
    assert!(log.group("g", StartAt::Oldest).await.is_err());
    // It is free again when the other one closes.
    other.close().await.unwrap();
    drop(theirs);
    log.group("g", StartAt::Oldest).await.unwrap();
}

#[tokio::test]
async fn old_entries_go_when_all_groups_have_committed_them() {
    let fixture = Fixture::new();
    let log = fixture.queue.log(
        "l",
        LogOptions::new().retain_for(Duration::from_millis(100)),
    );
    let ids = log.append_all(["a", "b", "c"]).await.unwrap();
    let mut reader = log.group("g", StartAt::Oldest).await.unwrap();
    fixture.advance(101);
    assert_eq!(log.trim().await.unwrap(), 0);
    read(&mut reader, 9).await;
    reader.commit(ids[1]).await.unwrap();
    let last = log.append("d").await.unwrap();
    let stats = log_stats(&fixture.queue).await;
    assert_eq!(
        (stats.entries, stats.trimmed, stats.dropped, stats.bytes),
        (2, 2, 0, 2)
    );
    // A group that is gone keeps nothing.
    drop(reader);
    log.forget_group("g").await.unwrap();
    assert_eq!(log.trim().await.unwrap(), 1);
    // The newest entry stays.
    fixture.advance(1_000);
    assert_eq!(log.trim().await.unwrap(), 0);
    let mut reader = log.group("h", StartAt::Oldest).await.unwrap();
    assert_eq!(read(&mut reader, 9).await[0].id, last);
}

#[tokio::test]
async fn a_log_bounded_in_bytes_drops_what_is_unread_only_if_told_to() {
    let fixture = Fixture::new();
    let kept = fixture.queue.log("l", LogOptions::new().retain_bytes(5));
    let mut reader = kept.group("g", StartAt::Oldest).await.unwrap();
    kept.append_all((0..10).map(|n| n.to_string()))
        .await
        .unwrap();
    assert_eq!(log_stats(&fixture.queue).await.entries, 10);
    let dropping = fixture
        .queue
        .log("l", LogOptions::new().retain_bytes(5).drop_unread());
    assert_eq!(dropping.trim().await.unwrap(), 5);
    let stats = log_stats(&fixture.queue).await;
    assert_eq!((stats.entries, stats.trimmed, stats.dropped), (5, 5, 5));
    assert_eq!(
        texts(&read(&mut reader, 9).await),
        ["5", "6", "7", "8", "9"]
    );
}

#[tokio::test]
async fn a_waiting_reader_is_woken_by_this_process_and_by_others() {
    let fixture = Fixture::new();
    let log = fixture.queue.log("l", LogOptions::new());
    let mut reader = log.group("g", StartAt::Oldest).await.unwrap();
    let waiting = tokio::spawn(async move {
        let mut out = Vec::new();
        while out.len() < 2 {
            reader.read_or_wait(9, &mut out).await.unwrap();
        }
        texts(&out)
    });
    tokio::task::yield_now().await;
    log.append("a").await.unwrap();
    while log_stats(&fixture.queue).await.groups[0].lag == 0 {
        tokio::task::yield_now().await;
    }
    let other = Queue::open(fixture.path(), fast(&fixture.clock)).unwrap();
    other.log("l", LogOptions::new()).append("b").await.unwrap();
    let limit = Duration::from_secs(60);
    assert_eq!(
        tokio::time::timeout(limit, waiting)
            .await
            .expect("it hangs")
            .unwrap(),
        ["a", "b"]
    );
}

#[tokio::test]
async fn what_only_topics_have_is_refused() {
    let fixture = Fixture::new();
    let log = fixture.queue.log("l", LogOptions::new());
    let error = log
        .append(NewMessage::new("a").with_priority(1))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "an entry of the log `l` has a priority, which only messages of topics have; leave it out, or use a topic"
    );
}

#[tokio::test]
async fn logs_are_checked_and_salvaged_and_show_what_is_damaged() {
    let fixture = Fixture::new();
    let log = fixture.queue.log("l", LogOptions::new());
    let ids = log.append_all(["a", "b", "c"]).await.unwrap();
    let mut reader = log.group("g", StartAt::Oldest).await.unwrap();
    reader.commit(ids[0]).await.unwrap();
    let file = rusqlite::Connection::open(fixture.path()).unwrap();
    file.execute(
        "UPDATE entries SET payload = CAST('X' AS BLOB) WHERE id = ?1",
        [i64::try_from(ids[1].0).unwrap()],
    )
    .unwrap();
    let entries = read(&mut reader, 9).await;
    assert_eq!(
        entries
            .iter()
            .map(|entry| entry.damaged)
            .collect::<Vec<_>>(),
        [false, true, false]
    );
    drop(reader);
    fixture.queue.close().await.unwrap();
    stage_queue::check(fixture.path()).unwrap();
    let to = fixture.dir.path().join("to.db");
    let report = stage_queue::salvage(fixture.path(), &to).unwrap();
    assert_eq!(
        (report.entries, report.damaged, report.unreadable),
        (2, 1, 0)
    );
    let queue = Queue::open(&to, fast(&fixture.clock)).unwrap();
    let mut reader = queue
        .log("l", LogOptions::new())
        .group("g", StartAt::Oldest)
        .await
        .unwrap();
    assert_eq!(texts(&read(&mut reader, 9).await), ["X", "c"]);
    assert!(queue.log("l", LogOptions::new()).append("d").await.unwrap() > ids[2]);
    // An entry that has vanished is missed.
    file.execute(
        "DELETE FROM entries WHERE id = ?1",
        [i64::try_from(ids[2].0).unwrap()],
    )
    .unwrap();
    let error = stage_queue::check(fixture.path()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the log `l` holds 3 entries, and 2 are found"),
        "{error}"
    );
}
