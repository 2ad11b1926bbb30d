//! `per-event`: a task for every event, a few at a time.
//!
//! This example downloads a dozen files from a mirror that is slow, sometimes
//! busy, and sometimes does not answer. `per_event` starts a task, a *child*,
//! for each: four at a time, which is the demand of the subscription, and
//! another one as soon as one has ended. No download waits for a slower one.
//!
//! What to look for in the output: files arrive in another order than they were
//! requested. File 5 fails twice and its child restarts, because the children
//! are `Transient`. File 9 hangs: it is listed, and stopped, while the stage
//! runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use stages::operators::from_iter;
use stages::per_event::{ChildRestart, CountChildren, ListChildren, StopChild};
use stages::prelude::*;
use tokio::time::sleep;

const FILES: u32 = 12;
const BUSY: u32 = 5;
const SILENT: u32 = 9;

/// A simulated server.
#[derive(Default)]
struct Mirror {
    turned_away: AtomicU32,
    downloads: AtomicU32,
    most_downloads: AtomicU32,
}

impl Mirror {
    /// Returns the size of a file, in bytes.
    async fn fetch(&self, file: u32) -> Result<u32, BoxError> {
        let downloads = self.downloads.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_downloads.fetch_max(downloads, Ordering::Relaxed);
        let fetched = self.answer(file).await;
        self.downloads.fetch_sub(1, Ordering::Relaxed);
        fetched
    }

    async fn answer(&self, file: u32) -> Result<u32, BoxError> {
        if file == SILENT {
            std::future::pending::<()>().await;
        }
        if file == BUSY && self.turned_away.fetch_add(1, Ordering::Relaxed) < 2 {
            sleep(Duration::from_millis(10)).await;
            return Err("the mirror is busy".into());
        }
        sleep(Duration::from_millis(u64::from(FILES - file) * 10)).await;
        Ok(file * 1024)
    }
}

pub(crate) async fn run() -> Result<(), BoxError> {
    let mirror = Arc::new(Mirror::default());
    let server = Arc::clone(&mirror);
    let downloads = per_event(move |file: u32| {
        let mirror = Arc::clone(&server);
        async move {
            let fetched = mirror.fetch(file).await;
            match &fetched {
                Ok(bytes) => println!("file {file}: {bytes} bytes"),
                Err(error) => println!("file {file}: {error}"),
            }
            // An error makes the child restart with the same file.
            fetched.map(drop)
        }
    });
    let downloads = downloads.restart(ChildRestart::Transient);

    let files = from_iter(1..=FILES).stage().name("files").spawn();
    let downloads = downloads
        .stage()
        .name("downloads")
        // At most four children; asks for another event whenever a child has
        // ended.
        .subscribe_to(files.subscription().max_demand(4).min_demand(0))
        .spawn();

    // Waits for all downloads but the one that hangs, which would keep the
    // stage from completing.
    while downloads.call(CountChildren).await?.completed < u64::from(FILES - 1) {
        sleep(Duration::from_millis(10)).await;
    }
    for child in downloads.call(ListChildren).await? {
        println!("{} hangs and is stopped", child.id);
        downloads.call(StopChild(child.id)).await??.await;
    }

    let counts = downloads.join_stage().await?.counts();
    println!(
        "{} files: {} fetched, {} failed, {} stopped; {} restarts; at most {} at a time",
        counts.started,
        counts.completed,
        counts.failed,
        counts.stopped,
        counts.restarts,
        mirror.most_downloads.load(Ordering::Relaxed),
    );
    Ok(())
}
