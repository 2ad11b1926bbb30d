//! W8: is the work spread over all cores, when there is real work?
//!
//! Eight consumers hash blocks of 1 KiB. The peer to beat is rayon's
//! `par_iter` over the same blocks, with as many threads as the runtime has:
//! two, and one on `current`. `plain-loop` is one thread in both.

use std::hash::{DefaultHasher, Hasher};
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use stages::operators::{fold, from_iter};
use stages::prelude::*;
use tokio::runtime::{Runtime, RuntimeFlavor};
use tokio::sync::mpsc;

use crate::measure::{Contender, Events, Workload};

const WORKERS: usize = 8;
/// How many blocks there are: 2 MiB, which events go over again and again.
const BLOCKS: usize = 2048;

type Block = [u8; 1024];

const OURS: Contender = ("stages", ours);

pub(crate) const WORKLOAD: Workload = Workload {
    name: "W8",
    hops: 1,
    batch: 500,
    events: Events::Timed,
    ours: Some(OURS),
    peers: &[
        ("rayon-par_iter", rayon),
        ("vec500-mpsc", vec500_mpsc),
        ("plain-loop", plain),
    ],
};

static DATA: LazyLock<Vec<Block>> = LazyLock::new(|| {
    (0..BLOCKS)
        .map(|n| std::array::from_fn(|at| (n.wrapping_mul(31) ^ at) as u8))
        .collect()
});

/// The block of an event.
fn block(n: u64) -> &'static Block {
    &DATA[n as usize % BLOCKS]
}

fn hash(block: &Block) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(block);
    hasher.finish()
}

/// What all hashes of `0..events` add up to.
fn expected(events: u64) -> u64 {
    static HASHES: LazyLock<Vec<u64>> = LazyLock::new(|| DATA.iter().map(hash).collect());
    let all = HASHES.iter().copied().fold(0, u64::wrapping_add);
    let rest = HASHES[..events as usize % BLOCKS].iter().copied();
    rest.fold(all.wrapping_mul(events / BLOCKS as u64), u64::wrapping_add)
}

fn ours(runtime: &Runtime, events: u64) -> Duration {
    let expected = expected(events);
    runtime.block_on(async {
        let started = Instant::now();
        let blocks = from_iter((0..events).map(block)).stage().spawn();
        let sums: Vec<_> = (0..WORKERS)
            .map(|_| {
                fold(0, |sum: u64, block: &'static Block| {
                    sum.wrapping_add(hash(block))
                })
                .stage()
                .subscribe_to(&blocks)
                .spawn()
            })
            .collect();
        let mut sum = 0_u64;
        for part in sums {
            sum = sum.wrapping_add(part.output().await.expect("the pipeline completes"));
        }
        assert_eq!(sum, expected);
        started.elapsed()
    })
}

fn pool(runtime: &Runtime) -> &'static ThreadPool {
    static POOLS: [OnceLock<ThreadPool>; 2] = [OnceLock::new(), OnceLock::new()];
    let threads = match runtime.handle().runtime_flavor() {
        RuntimeFlavor::CurrentThread => 1,
        _ => 2,
    };
    POOLS[threads - 1].get_or_init(|| {
        ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("the operating system gives threads")
    })
}

fn rayon(runtime: &Runtime, events: u64) -> Duration {
    let (pool, expected) = (pool(runtime), expected(events));
    let started = Instant::now();
    let sum = pool.install(|| {
        (0..events)
            .into_par_iter()
            .map(|n| hash(block(n)))
            .reduce(|| 0, u64::wrapping_add)
    });
    assert_eq!(sum, expected);
    started.elapsed()
}

fn vec500_mpsc(runtime: &Runtime, events: u64) -> Duration {
    let expected = expected(events);
    runtime.block_on(async {
        let started = Instant::now();
        let (mut senders, mut sums) = (Vec::new(), Vec::new());
        for _ in 0..WORKERS {
            let (sender, mut receiver) = mpsc::channel::<Vec<&'static Block>>(2);
            senders.push(sender);
            sums.push(tokio::spawn(async move {
                let mut sum = 0_u64;
                while let Some(batch) = receiver.recv().await {
                    for block in batch {
                        sum = sum.wrapping_add(hash(block));
                    }
                }
                sum
            }));
        }
        tokio::spawn(async move {
            let (mut next, mut to) = (0, 0);
            while next < events {
                let end = events.min(next + 500);
                let batch = (next..end).map(block).collect();
                if senders[to].send(batch).await.is_err() {
                    return;
                }
                next = end;
                to = (to + 1) % WORKERS;
            }
        });
        let mut sum = 0_u64;
        for part in sums {
            sum = sum.wrapping_add(part.await.expect("the task does not panic"));
        }
        assert_eq!(sum, expected);
        started.elapsed()
    })
}

fn plain(_: &Runtime, events: u64) -> Duration {
    let expected = expected(events);
    let started = Instant::now();
    let sum = (0..events).fold(0_u64, |sum, n| sum.wrapping_add(hash(block(n))));
    assert_eq!(sum, expected);
    started.elapsed()
}
