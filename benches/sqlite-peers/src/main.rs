//! Runs jobs of 256 bytes through another queue on SQLite, and prints the nanoseconds from
//! the first enqueue to the last acknowledgement.
//!
//! ```sh
//! sqlite-peers effectum|effectum-wal DIRECTORY JOBS AT_ONCE
//! ```

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use effectum::{Job, JobRunner, Queue, RunningJob, Worker};

/// Jobs that are under way at most; half of that before more are fetched. As many as our
/// processors can hold in `benches/src/queue/peers.rs`.
const CONCURRENCY: u16 = 80;
/// How often it is looked whether all jobs are done.
const LOOK: Duration = Duration::from_millis(1);

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [peer, directory, jobs, at_once] = arguments.as_slice() else {
        return Err("usage: sqlite-peers effectum|effectum-wal DIRECTORY JOBS AT_ONCE".into());
    };
    let file = Path::new(directory).join("effectum.db");
    match peer.as_str() {
        "effectum" => {}
        // Version 0.7.0 leaves the journal mode as it is in the file.
        "effectum-wal" => {
            let db = rusqlite::Connection::open(&file)?;
            db.query_row("PRAGMA journal_mode = wal", [], |_| Ok(()))?;
        }
        other => return Err(format!("no such peer: {other}").into()),
    }
    let took = run(&file, jobs.parse()?, at_once.parse()?).await?;
    println!("{}", took.as_nanos());
    Ok(())
}

async fn run(file: &Path, jobs: u64, at_once: u64) -> Result<Duration, Box<dyn Error>> {
    let queue = Queue::new(file).await?;
    let nothing = JobRunner::builder("nothing", |_: RunningJob, (): ()| async {
        Ok::<(), String>(())
    });
    let worker = Worker::builder(&queue, ())
        .jobs([nothing.build()])
        .max_concurrency(CONCURRENCY)
        .min_concurrency(CONCURRENCY / 2)
        .build()
        .await?;
    let payload: Vec<u8> = (0..=255).collect();
    let started = Instant::now();
    for _ in 0..jobs / at_once {
        let some = (0..at_once).map(|_| Job::builder("nothing").payload(payload.clone()).build());
        queue.add_jobs(some.collect()).await?;
    }
    while worker.counts().finished < jobs {
        tokio::time::sleep(LOOK).await;
    }
    Ok(started.elapsed())
}
