//! Several processes on one file.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use stage_queue::{LeaseOptions, Leased, Queue, QueueOptions};

use crate::child::{self, Work, lines, numbers};
use crate::support::{Fixture, fast, lease, payloads, within};

/// jentic-one PR 529: "database is locked", because a transaction that reads before it writes
/// fails at once when another one writes in between. litequeue #2, huey #123: two consumers
/// get the same message.
#[test]
fn two_processes_at_once_share_the_work_and_get_no_message_twice() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let work = |first| Work {
        first,
        count: 2_000,
        payload: 100,
        full: false,
        consume: true,
    };
    let mut readers = Vec::new();
    for first in [0, 1_000_000] {
        let (mut child, output) = child::start(&path, work(first), None);
        readers.push(std::thread::spawn(move || {
            let lines = lines(output);
            assert!(child.wait().unwrap().success());
            lines
        }));
    }
    let told: Vec<Vec<String>> = readers
        .into_iter()
        .map(|reader| reader.join().unwrap())
        .collect();
    let mut leases: HashMap<u64, u32> = HashMap::new();
    let mut acked = HashSet::new();
    for line in told.iter().flatten() {
        assert!(!line.starts_with('X'), "{line}");
        for (number, deliveries) in numbers(line) {
            if line.starts_with('L') {
                assert_eq!(deliveries, 1, "message {number}");
                *leases.entry(number).or_default() += 1;
            } else if line.starts_with('A') {
                acked.insert(number);
            }
        }
    }
    assert_eq!((leases.len(), acked.len()), (4_000, 4_000));
    assert!(leases.values().all(|count| *count == 1));
    stage_queue::check(&path).unwrap();
}

/// OpenViking #3225: what was under way when the process died was never delivered again.
/// Here it is at once, without waiting for a timeout.
#[tokio::test]
async fn the_leases_of_a_process_that_was_killed_end_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let work = Work {
        first: 0,
        count: 1_000_000,
        payload: 100,
        full: false,
        consume: true,
    };
    let (mut child, output) = child::start(&path, work, None);
    let reader = std::thread::spawn(move || lines(output));
    let options = QueueOptions::new()
        .visibility_timeout(Duration::from_secs(3_600))
        .poll_interval(Duration::from_millis(5));
    let queue = Queue::open(&path, options).unwrap();
    // Kill it while it has leased something.
    let leased = loop {
        let topics = queue.stats().await.unwrap().topics;
        if topics.first().is_some_and(|topic| topic.leased > 0) {
            child.kill().unwrap();
            child.wait().unwrap();
            let left = queue.stats().await.unwrap().topics[0].leased;
            if left > 0 {
                break left;
            }
            // It was between two leases. The test has nothing to look at.
            return;
        }
    };
    reader.join().unwrap();
    let topic = queue.topic("t");
    let started = Instant::now();
    let mut again = 0;
    while again < leased {
        let mut out = Vec::new();
        within(topic.lease_or_wait(1_000, LeaseOptions::new(), &mut out))
            .await
            .unwrap();
        again += out.iter().filter(|one| one.deliveries == 2).count() as u64;
        let mut settled: Vec<_> = out.iter().map(Leased::ack).collect();
        queue.settle(&mut settled).await.unwrap();
    }
    assert!(
        started.elapsed() < Duration::from_secs(600),
        "it waited for the timeout"
    );
    let owners = queue.stats().await.unwrap().owners;
    assert_eq!(owners, 1);
}

/// A process that hangs holds its lock: its leases end with its heartbeat.
#[cfg(unix)]
#[tokio::test]
async fn the_leases_of_a_process_that_hangs_end_after_the_visibility_timeout() {
    let fixture = Fixture::with(|options| options.visibility_timeout(Duration::from_millis(100)));
    let topic = fixture.queue.topic("t");
    topic.enqueue_all(["a", "b"]).await.unwrap();
    let hung = lease(&topic, 1).await;
    // Another node, as if from a process whose writer thread stands still: nobody changes
    // its heartbeat. Its lock is held by this process.
    let file = rusqlite::Connection::open(fixture.path()).unwrap();
    file.execute("UPDATE leased SET owner = 77", []).unwrap();
    file.execute("INSERT INTO owners VALUES (77, 'hung', 3, 200, 1)", [])
        .unwrap();
    let lock = std::fs::File::create(fixture.dir.path().join("queue.db-node-hung")).unwrap();
    lock.lock().unwrap();
    let mut out = lease(&topic, 10).await;
    assert_eq!(payloads(&out), ["b"]);
    out.clear();
    within(topic.lease_or_wait(10, LeaseOptions::new(), &mut out))
        .await
        .unwrap();
    assert_eq!(
        (payloads(&out), out[0].deliveries),
        (vec!["a".to_owned()], 2)
    );
    // The late verdict of the one that hung changes nothing.
    let mut late = [hung[0].ack()];
    fixture.queue.settle(&mut late).await.unwrap();
    assert!(late[0].stale);
}

#[tokio::test]
async fn a_process_that_was_taken_for_dead_goes_on_with_new_leases() {
    let fixture = Fixture::with(|options| options.visibility_timeout(Duration::from_millis(100)));
    let topic = fixture.queue.topic("t");
    topic.enqueue_all(["a", "b"]).await.unwrap();
    let before = lease(&topic, 1).await;
    // Somebody else has ended its leases while it hung.
    let file = rusqlite::Connection::open(fixture.path()).unwrap();
    file.execute_batch(
        "BEGIN IMMEDIATE; INSERT INTO ready SELECT topic, rank, id, deliveries, size FROM leased;
         DELETE FROM leased; DELETE FROM owners; COMMIT",
    )
    .unwrap();
    for file in std::fs::read_dir(fixture.dir.path()).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_string_lossy().contains("-node-") {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    let owners = async {
        while fixture.queue.stats().await.unwrap().owners == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), owners)
        .await
        .expect("it does not register again");
    let mut late = [before[0].ack()];
    fixture.queue.settle(&mut late).await.unwrap();
    assert!(late[0].stale);
    let again = lease(&topic, 10).await;
    assert_eq!(payloads(&again), ["a", "b"]);
    // Nobody takes it for dead once more.
    let other = Queue::open(fixture.path(), fast(&fixture.clock)).unwrap();
    for _ in 0..3 {
        assert!(lease(&other.topic("t"), 9).await.is_empty());
        tokio::time::sleep(Duration::from_millis(110)).await;
    }
    let mut settled: Vec<_> = again.iter().map(Leased::ack).collect();
    fixture.queue.settle(&mut settled).await.unwrap();
    assert!(settled.iter().all(|one| !one.stale));
}

/// machinist #162: one heartbeat that found the file locked ended the daemon.
#[tokio::test]
async fn a_writer_that_holds_the_file_for_long_makes_others_wait_and_nothing_fail() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    topic.enqueue("a").await.unwrap();
    let other = rusqlite::Connection::open(fixture.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let enqueue = tokio::spawn({
        let topic = topic.clone();
        async move { topic.enqueue("b").await }
    });
    // Longer than the busy timeout of a second.
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert!(!enqueue.is_finished());
    other.execute_batch("ROLLBACK").unwrap();
    enqueue.await.unwrap().unwrap();
    assert_eq!(payloads(&lease(&topic, 10).await), ["a", "b"]);
}

#[tokio::test]
async fn messages_of_another_process_are_found_by_those_who_wait() {
    let fixture = Fixture::new();
    let topic = fixture.queue.topic("t");
    let waiting = tokio::spawn(async move {
        let mut out = Vec::new();
        topic
            .lease_or_wait(10, LeaseOptions::new(), &mut out)
            .await
            .unwrap();
        payloads(&out)
    });
    let other = Queue::open(fixture.path(), fast(&fixture.clock)).unwrap();
    other.topic("t").enqueue("a").await.unwrap();
    assert_eq!(waiting.await.unwrap(), ["a"]);
}

#[tokio::test]
async fn room_that_another_process_has_made_is_found_by_those_who_wait() {
    let fixture = Fixture::new();
    let options = stage_queue::TopicOptions::new().max_messages(1);
    let topic = fixture.queue.create_topic("t", options).await.unwrap();
    topic.enqueue("a").await.unwrap();
    let waiting = tokio::spawn(async move { topic.enqueue("b").await });
    let other = Queue::open(fixture.path(), fast(&fixture.clock)).unwrap();
    let leased = lease(&other.topic("t"), 1).await;
    other.settle(&mut [leased[0].ack()]).await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(payloads(&lease(&other.topic("t"), 10).await), ["b"]);
}

/// liteq #28: starting several workers at once fails with "database is locked".
#[test]
fn many_can_open_a_new_file_at_once() {
    for _ in 0..2 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("queue.db");
        let start = std::sync::Barrier::new(12);
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .build()
                        .unwrap();
                    start.wait();
                    let queue = Queue::open(&path, QueueOptions::new()).unwrap();
                    runtime.block_on(queue.topic("t").enqueue("a")).unwrap();
                    runtime.block_on(queue.close()).unwrap();
                });
            }
        });
        stage_queue::check(&path).unwrap();
    }
}
