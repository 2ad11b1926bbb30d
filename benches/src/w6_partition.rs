//! W6: what does it cost to send every event where its key says?
//!
//! Eight partitions by a hash of the event, a consumer that sums for each. The
//! peers split by hand, by the same hash: into a vector per partition that is
//! sent when it has 500, which is faster than us as long as nobody minds that
//! events wait for their vector to fill up; or event by event.

use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use foldhash::quality::FixedState;
use stages::operators::{fold, from_iter};
use stages::prelude::*;
use tokio::runtime::Runtime;

use crate::measure::{Contender, Events, Workload};
use crate::peers::chain::{BATCH, expected};
use crate::peers::channel::{Channel, Crossfire, Kanal, Tokio};
use crate::peers::fan::{summing, total};

const PARTITIONS: usize = 8;

pub(crate) const OURS: Contender = ("stages", ours);

pub(crate) const WORKLOAD: Workload = Workload {
    name: "W6",
    hops: 1,
    batch: BATCH as u32 / PARTITIONS as u32,
    events: Events::Timed,
    ours: Some(OURS),
    peers: &[
        ("vec500-mpsc", batches::<Tokio>),
        ("vec500-kanal", batches::<Kanal>),
        ("vec500-crossfire", batches::<Crossfire>),
        ("item-mpsc", item_mpsc),
    ],
};

/// The hash of `Partition`, made once.
struct Hash(FixedState);

impl Hash {
    fn new() -> Self {
        Self(FixedState::with_seed(0x5354_4147_4553))
    }

    fn partition(&self, event: u64) -> usize {
        let hash = self.0.hash_one(event);
        ((u128::from(hash) * PARTITIONS as u128) >> u64::BITS) as usize
    }
}

fn ours(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let partition = Partition::new(PARTITIONS).expect("eight partitions are fine");
        let numbers = from_iter(0..events).stage().dispatcher(partition).spawn();
        let sums: Vec<_> = (0..PARTITIONS)
            .map(|n| {
                fold(0, |sum: u64, n: u64| sum + n)
                    .stage()
                    .subscribe_to(numbers.partition(n))
                    .spawn()
            })
            .collect();
        let mut sum = 0;
        for part in sums {
            sum += part.output().await.expect("the pipeline completes");
        }
        assert_eq!(sum, expected(events, 0));
        started.elapsed()
    })
}

fn batches<C: Channel>(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (mut senders, sums) = summing::<C, Vec<u64>>(PARTITIONS, 2, |batch| batch.iter().sum());
        tokio::spawn(async move {
            let hash = Hash::new();
            let empty = || Vec::with_capacity(BATCH as usize);
            let mut parts: [Vec<u64>; PARTITIONS] = std::array::from_fn(|_| empty());
            for n in 0..events {
                let at = hash.partition(n);
                parts[at].push(n);
                if parts[at].len() == BATCH as usize {
                    let full = std::mem::replace(&mut parts[at], empty());
                    if !C::send(&mut senders[at], full).await {
                        return;
                    }
                }
            }
            for (sender, part) in senders.iter_mut().zip(parts) {
                if !C::send(sender, part).await {
                    return;
                }
            }
        });
        assert_eq!(total(sums).await, expected(events, 0));
        started.elapsed()
    })
}

fn item_mpsc(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (mut senders, sums) = summing::<Tokio, u64>(PARTITIONS, 1000, |&n| n);
        tokio::spawn(async move {
            let hash = Hash::new();
            for n in 0..events {
                if !Tokio::send(&mut senders[hash.partition(n)], n).await {
                    return;
                }
            }
        });
        assert_eq!(total(sums).await, expected(events, 0));
        started.elapsed()
    })
}
