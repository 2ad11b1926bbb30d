//! The same count four times.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use stages::operators::{fold, from_iter};
use stages::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::mpsc as channel;

use super::FILES;
use super::words::{Counts, OWNERS, Reader, Share, words};

const TOKENISERS: usize = 2;
/// Files that a tokeniser asks for, and shares that a counter asks each
/// tokeniser for.
const FILES_AHEAD: usize = 16;
const SHARES_AHEAD: usize = 32;

/// What everybody has to come to.
static EXPECTED: LazyLock<(usize, u64)> = LazyLock::new(|| count_all().sums());

fn count_all() -> Counts {
    let (mut reader, mut counts) = (Reader::default(), Counts::default());
    for path in FILES.iter() {
        let text = reader.read(path);
        for word in words(text) {
            counts.add(&text[word]);
        }
    }
    counts
}

/// Counters own disjoint words, so what they have seen adds up.
fn check(parts: &[Counts]) {
    let sums = parts.iter().map(Counts::sums);
    let sums = sums.fold((0, 0), |all, part| (all.0 + part.0, all.1 + part.1));
    assert_eq!(sums, *EXPECTED, "did a file change in between?");
}

/// One loop, one thread.
pub(super) fn plain(_: &Runtime, _: u64) -> Duration {
    LazyLock::force(&EXPECTED);
    let started = Instant::now();
    let counts = count_all();
    let took = started.elapsed();
    check(&[counts]);
    took
}

/// A map per job, merged: what rayon is good at.
pub(super) fn rayon(_: &Runtime, _: u64) -> Duration {
    LazyLock::force(&EXPECTED);
    let started = Instant::now();
    let counts = FILES
        .par_iter()
        .fold(
            || (Reader::default(), Counts::default()),
            |(mut reader, mut counts), path| {
                let text = reader.read(path);
                for word in words(text) {
                    counts.add(&text[word]);
                }
                (reader, counts)
            },
        )
        .map(|(_, counts)| counts)
        .reduce(Counts::default, Counts::absorb);
    let took = started.elapsed();
    check(&[counts]);
    took
}

struct Tokeniser(Reader);

impl ProducerConsumer for Tokeniser {
    type In = &'static PathBuf;
    type Out = Share;

    async fn handle_events(
        &mut self,
        files: &mut Batch<&'static PathBuf>,
        out: &mut Emitter<'_, Share>,
    ) -> StageResult {
        for path in files {
            out.extend(self.0.shares(path));
        }
        Ok(())
    }
}

pub(super) fn ours(runtime: &Runtime, _: u64) -> Duration {
    LazyLock::force(&EXPECTED);
    let started = Instant::now();
    let counts = runtime.block_on(async {
        let files = from_iter(FILES.iter()).stage().name("files").spawn();
        let tokenisers: Vec<_> = (0..TOKENISERS)
            .map(|n| {
                let by_owner = Partition::by_index(OWNERS, |share: &Share| Some(share.owner))
                    .expect("two partitions are fine");
                Tokeniser(Reader::default())
                    .stage()
                    .name(format!("tokeniser {n}"))
                    .subscribe_to(files.subscription().max_demand(FILES_AHEAD))
                    .dispatcher(by_owner.queue_bound(SHARES_AHEAD))
                    .spawn()
            })
            .collect();
        let counters: Vec<_> = (0..OWNERS)
            .map(|n| {
                let mut counter = fold(Counts::default(), |mut counts: Counts, share: Share| {
                    counts.add_share(&share);
                    counts
                })
                .stage()
                .name(format!("counter {n}"));
                for tokeniser in &tokenisers {
                    counter = counter.subscribe_to(tokeniser.partition(n).max_demand(SHARES_AHEAD));
                }
                counter.spawn()
            })
            .collect();
        let mut counts = Vec::new();
        for counter in counters {
            counts.push(counter.output().await.expect("the pipeline completes"));
        }
        counts
    });
    let took = started.elapsed();
    check(&counts);
    took
}

/// Tokenisers that take the next file from a counter they share, and a channel
/// to each counter.
pub(super) fn mpsc(runtime: &Runtime, _: u64) -> Duration {
    static NEXT: AtomicUsize = AtomicUsize::new(0);

    LazyLock::force(&EXPECTED);
    let started = Instant::now();
    NEXT.store(0, Ordering::Relaxed);
    let counts = runtime.block_on(async {
        let (mut senders, mut counters) = (Vec::new(), Vec::new());
        for _ in 0..OWNERS {
            let (sender, mut receiver) = channel::channel::<Share>(TOKENISERS * SHARES_AHEAD);
            senders.push(sender);
            counters.push(tokio::spawn(async move {
                let mut counts = Counts::default();
                while let Some(share) = receiver.recv().await {
                    counts.add_share(&share);
                }
                counts
            }));
        }
        for _ in 0..TOKENISERS {
            let senders = senders.clone();
            tokio::spawn(async move {
                let mut reader = Reader::default();
                while let Some(path) = FILES.get(NEXT.fetch_add(1, Ordering::Relaxed)) {
                    for share in reader.shares(path) {
                        if senders[share.owner].send(share).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
        drop(senders);
        let mut counts = Vec::new();
        for counter in counters {
            counts.push(counter.await.expect("the task does not panic"));
        }
        counts
    });
    let took = started.elapsed();
    check(&counts);
    took
}
