//! The queue in a process of its own: what the child does, and how it is started.
//!
//! The child is this test binary, with [`work`] as its only test. It tells its parent on its
//! standard output what it has done, after it was answered:
//!
//! - `E n ..`: these messages are enqueued
//! - `L n:deliveries ..`: these are leased
//! - `S n ..`: these are about to be acknowledged
//! - `A n ..`: these are acknowledged
//! - `X text`: the queue has stopped, with this error

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use stage_queue::{Durability, LeaseOptions, Leased, NewMessage, Queue, QueueError, QueueOptions};

const PATH: &str = "STAGE_QUEUE_TEST_PATH";
const ARGS: &str = "STAGE_QUEUE_TEST_ARGS";

/// What a child does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work {
    /// The number of its first message.
    pub(crate) first: u64,
    /// How many messages it enqueues; then it ends once the topic is empty.
    pub(crate) count: u64,
    /// The bytes of each payload, its number included.
    pub(crate) payload: usize,
    /// Whether each group is synced to the disk.
    pub(crate) full: bool,
    /// Whether it leases and acknowledges as well.
    pub(crate) consume: bool,
}

impl Work {
    fn args(self) -> String {
        let Self {
            first,
            count,
            payload,
            full,
            consume,
        } = self;
        format!(
            "{first} {count} {payload} {} {}",
            u8::from(full),
            u8::from(consume)
        )
    }

    fn parse(text: &str) -> Self {
        let numbers: Vec<u64> = text
            .split(' ')
            .map(|number| number.parse().unwrap())
            .collect();
        let [first, count, payload, full, consume] = numbers[..] else {
            panic!("{text}")
        };
        Self {
            first,
            count,
            payload: payload.try_into().unwrap(),
            full: full == 1,
            consume: consume == 1,
        }
    }
}

/// Starts a child. `shell` is put before its command.
pub(crate) fn start(
    path: &Path,
    work: Work,
    shell: Option<&str>,
) -> (Child, BufReader<ChildStdout>) {
    let this = std::env::current_exe().unwrap();
    let args = [
        "--exact",
        "child::work",
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ];
    let mut command = match shell {
        None => Command::new(this),
        Some(shell) => {
            let mut command = Command::new("sh");
            command
                .arg("-c")
                .arg(format!("{shell}; exec \"$0\" \"$@\""))
                .arg(this);
            command
        }
    };
    let mut child = command
        .args(args)
        .env(PATH, path)
        .env(ARGS, work.args())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// The numbers of a line of a child, and what is behind the colon.
pub(crate) fn numbers(line: &str) -> Vec<(u64, u32)> {
    let words = line.split(' ').skip(1);
    words
        .map(|word| {
            let (number, rest) = word.split_once(':').unwrap_or((word, "0"));
            (number.parse().unwrap(), rest.parse().unwrap())
        })
        .collect()
}

/// Reads all complete lines of a child that begin as its own do.
pub(crate) fn lines(mut output: BufReader<ChildStdout>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).unwrap() > 0 {
        // The last line of one that was killed may be cut.
        if line.pop() == Some(b'\n') {
            let text = String::from_utf8(std::mem::take(&mut line)).unwrap();
            if ["E ", "L ", "S ", "A ", "X "]
                .iter()
                .any(|start| text.starts_with(start))
            {
                lines.push(text);
            }
        }
    }
    lines
}

fn tell(kind: char, numbers: impl IntoIterator<Item = (u64, u32)>) {
    let mut line = String::from(kind);
    for (number, deliveries) in numbers {
        write!(line, " {number}:{deliveries}").unwrap();
    }
    line.push('\n');
    // One write: lines of several tasks do not mix, and none is left in a buffer.
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).unwrap();
    out.flush().unwrap();
}

pub(crate) fn payload(number: u64, size: usize) -> Vec<u8> {
    let mut payload = number.to_string().into_bytes();
    payload.push(b' ');
    payload.resize(size.max(payload.len()), b'.');
    payload
}

pub(crate) fn number(leased: &Leased) -> u64 {
    let text = std::str::from_utf8(&leased.payload).unwrap();
    text.split_once(' ').unwrap().0.parse().unwrap()
}

/// What the child does. Does nothing if it is not one.
#[test]
#[ignore = "it is the body of other processes that tests start"]
fn work() {
    let (Some(path), Ok(args)) = (std::env::var_os(PATH), std::env::var(ARGS)) else {
        return;
    };
    // The test harness has begun a line.
    println!();
    let work = Work::parse(&args);
    let durability = if work.full {
        Durability::Full
    } else {
        Durability::ProcessOnly
    };
    let options = QueueOptions::new()
        .durability(durability)
        .poll_interval(Duration::from_millis(5));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let queue = Queue::open(path, options).unwrap();
        let producing = Arc::new(AtomicU64::new(2));
        let mut tasks = Vec::new();
        for part in 0..2 {
            let (from, done) = (queue.clone(), Arc::clone(&producing));
            tasks.push(tokio::spawn(async move {
                let result = produce(&from, work, part).await;
                done.fetch_sub(1, Relaxed);
                result
            }));
            if work.consume {
                tasks.push(tokio::spawn(consume(queue.clone(), Arc::clone(&producing))));
            }
        }
        for task in tasks {
            if let Err(error) = task.await.unwrap() {
                let mut out = std::io::stdout().lock();
                writeln!(out, "X {error}").unwrap();
                out.flush().unwrap();
            }
        }
    });
}

/// Enqueues every second message, in groups of several sizes.
async fn produce(queue: &Queue, work: Work, part: u64) -> Result<(), QueueError> {
    let topic = queue.topic("t");
    let mine: Vec<u64> = (work.first..work.first + work.count)
        .filter(|number| number % 2 == part)
        .collect();
    let mut rest = mine.as_slice();
    let mut size = 1;
    while !rest.is_empty() {
        let (group, left) = rest.split_at(size.min(rest.len()));
        topic
            .enqueue_all(
                group
                    .iter()
                    .map(|number| NewMessage::new(payload(*number, work.payload))),
            )
            .await?;
        tell('E', group.iter().map(|number| (*number, 0)));
        rest = left;
        size = size % 20 + 1;
    }
    Ok(())
}

/// Leases and acknowledges until nobody produces and nothing is left.
async fn consume(queue: Queue, producing: Arc<AtomicU64>) -> Result<(), QueueError> {
    let topic = queue.topic("t");
    loop {
        let over = producing.load(Relaxed) == 0;
        let mut leased = Vec::new();
        topic.lease(10, LeaseOptions::new(), &mut leased).await?;
        if leased.is_empty() {
            let held = queue
                .stats()
                .await?
                .topics
                .iter()
                .map(|topic| topic.ready + topic.leased)
                .sum::<u64>();
            if over && held == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        tell('L', leased.iter().map(|one| (number(one), one.deliveries)));
        tokio::task::yield_now().await;
        let mut settled: Vec<_> = leased.iter().map(Leased::ack).collect();
        tell('S', leased.iter().map(|one| (number(one), 0)));
        queue.settle(&mut settled).await?;
        let acked = leased
            .iter()
            .zip(&settled)
            .filter(|(_, settled)| !settled.stale);
        tell('A', acked.map(|(one, _)| (number(one), 0)));
    }
}
