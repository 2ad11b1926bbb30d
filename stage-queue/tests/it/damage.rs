//! Damaged files: an error, or what is intact; never a loss that nobody hears of.

use std::collections::HashSet;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use stage_queue::{LeaseOptions, NewMessage, Queue, QueueError, QueueOptions};
use tempfile::TempDir;

const MESSAGES: u64 = 300;

/// A closed queue with messages in several states.
async fn closed() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let queue = Queue::open(&path, QueueOptions::new()).unwrap();
    let topic = queue.topic("t");
    let messages = (0..MESSAGES).map(|n| {
        NewMessage::new(payload(n))
            .with_key(format!("key {}", n % 5))
            .with_header("n", n.to_string())
    });
    topic.enqueue_all(messages).await.unwrap();
    let mut leased = Vec::new();
    topic
        .lease(20, LeaseOptions::new(), &mut leased)
        .await
        .unwrap();
    let mut settled: Vec<_> = leased[..5].iter().map(|one| one.reject("bad")).collect();
    settled.extend(
        leased[5..10]
            .iter()
            .map(|one| one.retry(std::time::Duration::from_millis(1))),
    );
    queue.settle(&mut settled).await.unwrap();
    queue.close().await.unwrap();
    (dir, path)
}

fn payload(n: u64) -> String {
    format!("{n} {}", "x".repeat(usize::try_from(n % 400).unwrap()))
}

/// What came of opening and emptying a damaged file.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// All messages, as they were enqueued.
    Intact,
    /// All others, and this many dead letters that are known as damaged.
    Known(usize),
    Error(String),
    /// Messages are missing or changed, and nothing says so.
    Silent(String),
}

async fn empty(path: &Path) -> Outcome {
    let queue = match Queue::open(path, QueueOptions::new()) {
        Ok(queue) => queue,
        Err(error) => return typed(&error),
    };
    let topic = queue.topic("t");
    let mut leased = Vec::new();
    // Those that were retried are due in a millisecond, unless just that time is damaged.
    let mut delayed = 0;
    for _ in 0..20 {
        while match topic.lease(50, LeaseOptions::new(), &mut leased).await {
            Ok(count) => count > 0,
            Err(error) => return typed(&error),
        } {}
        delayed = match queue.stats().await {
            Ok(stats) => stats.topics.iter().map(|topic| topic.delayed).sum(),
            Err(error) => return typed(&error),
        };
        if delayed == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let letters = match topic.dead_letters().list(None, 1_000).await {
        Ok(letters) => letters,
        Err(error) => return typed(&error),
    };
    let mut found = HashSet::new();
    let intact = leased.iter().map(|one| (&one.payload, one.id)).chain(
        letters
            .iter()
            .filter(|one| !one.damaged)
            .map(|one| (&one.payload, one.id)),
    );
    for (payload_found, id) in intact {
        if *payload_found != payload(id.0 - 1).into_bytes() || !found.insert(id) {
            return Outcome::Silent(format!("message {id} is changed, or there twice"));
        }
    }
    let damaged = letters.iter().filter(|one| one.damaged).count();
    match found.len() as u64 + damaged as u64 + delayed {
        all if all != MESSAGES => {
            Outcome::Silent(format!("{} found, {damaged} damaged", found.len()))
        }
        _ if damaged > 0 => Outcome::Known(damaged),
        _ => Outcome::Intact,
    }
}

fn typed(error: &QueueError) -> Outcome {
    let text = error.to_string();
    match error {
        QueueError::Damaged { .. } | QueueError::NotAQueue { .. } => Outcome::Error(text),
        other => Outcome::Silent(format!("the wrong error: {other}")),
    }
}

/// Flips bits, one file each, and looks what comes of it; then what can be salvaged.
async fn flip(seed: u64, count: usize) {
    let (_dir, path) = closed().await;
    let original = fs::read(&path).unwrap();
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut intact, mut known, mut errors, mut salvaged_most) = (0, 0, 0, 0);
    for round in 0..count {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("queue.db");
        let mut bytes = original.clone();
        let (at, bit) = (random.usize(..bytes.len()), random.u8(..8));
        bytes[at] ^= 1 << bit;
        fs::write(&copy, &bytes).unwrap();
        let salvaged = dir.path().join("salvaged.db");
        let report = stage_queue::salvage(&copy, &salvaged);
        match empty(&copy).await {
            Outcome::Intact => intact += 1,
            Outcome::Known(_) => known += 1,
            Outcome::Error(_) => errors += 1,
            Outcome::Silent(what) => panic!("round {round}, bit {bit} of byte {at}: {what}"),
        }
        // One bit costs the messages of its page at most, unless it is in one of the pages that
        // say where the others are.
        match report {
            Ok(report) => {
                let all = report.messages + report.dead + report.damaged;
                let known = all == MESSAGES || report.lost + report.unreadable > 0;
                assert!(known, "bit {bit} of byte {at}: {report:?}");
                stage_queue::check(&salvaged).unwrap();
                salvaged_most += usize::from(all + 40 >= MESSAGES);
            }
            Err(error) => assert!(matches!(error, QueueError::Damaged { .. }), "{error}"),
        }
    }
    println!(
        "{count} flipped bits: {intact} changed nothing, {known} known dead letters, {errors} errors"
    );
    assert!(known > 0, "no payload was hit: {intact} {errors}");
    assert!(salvaged_most * 10 > count * 8, "{salvaged_most} of {count}");
}

#[tokio::test]
async fn a_flipped_bit_is_an_error_or_a_known_dead_letter() {
    flip(3, 60).await;
}

/// `cargo test -p stage-queue --test it -- --ignored --nocapture many_flipped`
#[tokio::test]
#[ignore = "takes minutes"]
async fn many_flipped_bits_are_errors_or_known_dead_letters() {
    let seed = std::env::var("STAGE_QUEUE_SEED").map_or(4, |text| text.parse().unwrap());
    flip(seed, 1_000).await;
}

#[tokio::test]
async fn a_truncated_file_is_an_error_and_the_rest_can_be_salvaged() {
    let (dir, path) = closed().await;
    let length = fs::metadata(&path).unwrap().len();
    for (n, part) in [1, 2, 3].into_iter().enumerate() {
        let copy = dir.path().join(format!("copy-{n}.db"));
        fs::copy(&path, &copy).unwrap();
        fs::File::options()
            .write(true)
            .open(&copy)
            .unwrap()
            .set_len(length * part / 4 / 4_096 * 4_096)
            .unwrap();
        match empty(&copy).await {
            Outcome::Error(text) => assert!(text.contains("salvage"), "{text}"),
            other => panic!("{part} quarters: {other:?}"),
        }
        let to = dir.path().join(format!("salvaged-{n}.db"));
        match stage_queue::salvage(&copy, &to) {
            Ok(report) => assert!(report.lost + report.unreadable > 0, "{report:?}"),
            Err(error) => assert!(matches!(error, QueueError::Damaged { .. }), "{error}"),
        }
    }
}

/// A write-ahead log that was torn by a power cut: complete transactions stand, and the torn
/// one, which was never answered, is gone.
#[tokio::test]
async fn a_torn_log_keeps_all_that_was_complete() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let queue = Queue::open(&path, QueueOptions::new()).unwrap();
    let topic = queue.topic("t");
    topic.enqueue("a").await.unwrap();
    let log = path.with_extension("db-wal");
    let before = fs::metadata(&log).unwrap().len();
    topic.enqueue("b".repeat(20_000)).await.unwrap();
    let after = fs::metadata(&log).unwrap().len();
    // A copy of the file and its log, as a power cut leaves them.
    for cut in [before, (before + after) / 2, after - 1] {
        let torn = tempfile::tempdir().unwrap();
        let copy = torn.path().join("queue.db");
        fs::copy(&path, &copy).unwrap();
        fs::copy(&log, copy.with_extension("db-wal")).unwrap();
        fs::File::options()
            .write(true)
            .open(copy.with_extension("db-wal"))
            .unwrap()
            .set_len(cut)
            .unwrap();
        let queue = Queue::open(&copy, QueueOptions::new()).unwrap();
        let mut out = Vec::new();
        queue
            .topic("t")
            .lease(10, LeaseOptions::new(), &mut out)
            .await
            .unwrap();
        assert_eq!(out.len(), 1, "cut at {cut}");
        assert_eq!(out[0].payload, b"a");
    }
}

#[tokio::test]
async fn what_is_intact_is_salvaged_with_its_state() {
    let (dir, path) = closed().await;
    let to = dir.path().join("salvaged.db");
    let report = stage_queue::salvage(&path, &to).unwrap();
    assert_eq!(
        (report.messages, report.dead, report.damaged, report.lost),
        (MESSAGES - 5, 5, 0, 0)
    );
    assert_eq!((report.without_state, report.unreadable), (0, 0));
    assert_eq!(empty(&to).await, Outcome::Intact);
    // The new file goes on with new numbers.
    let queue = Queue::open(&to, QueueOptions::new()).unwrap();
    assert_eq!(
        queue.topic("t").enqueue("new").await.unwrap().id.0,
        MESSAGES + 1
    );
    // An existing file is never written over.
    let again = stage_queue::salvage(&path, &to).unwrap_err();
    assert!(again.to_string().contains("it exists"), "{again}");
}

#[tokio::test]
async fn a_page_of_zeros_in_the_middle_costs_its_own_messages() {
    let (dir, path) = closed().await;
    let pages = fs::metadata(&path).unwrap().len() / 4_096;
    let mut salvaged_some = 0;
    for page in 1..pages {
        let copy = dir.path().join("copy.db");
        fs::copy(&path, &copy).unwrap();
        let mut file = fs::File::options().write(true).open(&copy).unwrap();
        file.seek(SeekFrom::Start(page * 4_096)).unwrap();
        file.write_all(&[0; 4_096]).unwrap();
        let to = dir.path().join("to.db");
        let Ok(report) = stage_queue::salvage(&copy, &to) else {
            // Nothing is left behind.
            assert!(!to.exists());
            continue;
        };
        let all = report.messages + report.dead + report.damaged;
        assert!(
            all == MESSAGES || report.lost + report.unreadable > 0,
            "page {page}: {report:?}"
        );
        salvaged_some += u64::from(all + 60 >= MESSAGES);
        for suffix in ["", "-wal", "-shm"] {
            drop(fs::remove_file(dir.path().join(format!("to.db{suffix}"))));
        }
    }
    // Only pages at the top of a tree cost more than their own messages.
    assert!(salvaged_some + 8 >= pages, "{salvaged_some} of {pages}");
}
