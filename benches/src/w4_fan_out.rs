//! W4: what does it cost to share events out among consumers?
//!
//! One producer, eight consumers that sum, the `Demand` dispatcher. The peers
//! send vectors of 500 to eight channels in turn, which is cheaper than to ask
//! who is free, and unfair as soon as one of them is slow; or all consumers
//! take from one queue, which is as fair as demand.

use std::time::{Duration, Instant};

use stages::operators::{fold, from_iter};
use stages::prelude::*;
use tokio::runtime::Runtime;

use crate::measure::{Contender, Events, Workload};
use crate::peers::chain::{BATCH, expected};
use crate::peers::channel::{Channel, Crossfire, Kanal, Tokio};
use crate::peers::fan::{round_robin, shared_queue, summing, total};

const CONSUMERS: usize = 8;

pub(crate) const OURS: Contender = ("stages", ours);

pub(crate) const WORKLOAD: Workload = Workload {
    name: "W4",
    hops: 1,
    batch: BATCH as u32,
    events: Events::Timed,
    ours: Some(OURS),
    peers: &[
        ("vec500-mpsc", |r, n| {
            round_robin::<Tokio>(r, n, CONSUMERS, 2)
        }),
        ("vec500-kanal", |r, n| {
            round_robin::<Kanal>(r, n, CONSUMERS, 2)
        }),
        ("vec500-crossfire", |r, n| {
            round_robin::<Crossfire>(r, n, CONSUMERS, 2)
        }),
        ("vec500-async-channel", |r, n| shared_queue(r, n, CONSUMERS)),
        ("item-mpsc", item_mpsc),
    ],
};

fn ours(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let numbers = from_iter(0..events).stage().spawn();
        let sums: Vec<_> = (0..CONSUMERS)
            .map(|_| {
                fold(0, |sum: u64, n: u64| sum + n)
                    .stage()
                    .subscribe_to(&numbers)
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

fn item_mpsc(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (mut senders, sums) = summing::<Tokio, u64>(CONSUMERS, 1000, |&n| n);
        tokio::spawn(async move {
            for (n, to) in (0..events).zip((0..CONSUMERS).cycle()) {
                if !Tokio::send(&mut senders[to], n).await {
                    return;
                }
            }
        });
        assert_eq!(total(sums).await, expected(events, 0));
        started.elapsed()
    })
}
