//! W3: what does one more stage cost?
//!
//! Sixteen producer-consumers in a row, each of which adds one. An expert's
//! vector passes all of them in the same allocation.

use std::time::{Duration, Instant};

use stages::operators::{fold, from_iter, map_in_place};
use stages::prelude::*;
use tokio::runtime::Runtime;

use crate::measure::{Contender, Events, Workload};
use crate::peers::chain::{BATCH, batches, expected, items};
use crate::peers::channel::{Crossfire, Flume, Kanal, Tokio};

const ADDERS: u64 = 16;

pub(crate) const OURS: Contender = ("stages", ours);

pub(crate) const WORKLOAD: Workload = Workload {
    name: "W3",
    hops: ADDERS as u32 + 1,
    batch: BATCH as u32,
    events: Events::Timed,
    ours: Some(OURS),
    peers: &[
        ("vec500-mpsc", |r, n| batches::<Tokio>(r, n, ADDERS, 2)),
        ("vec500-flume", |r, n| batches::<Flume>(r, n, ADDERS, 2)),
        ("vec500-kanal", |r, n| batches::<Kanal>(r, n, ADDERS, 2)),
        ("vec500-crossfire", |r, n| {
            batches::<Crossfire>(r, n, ADDERS, 2)
        }),
        ("item-mpsc", |r, n| items::<Tokio>(r, n, ADDERS, 1000)),
    ],
};

/// A function and not a closure, so that all stages are of one type.
fn add_one(n: &mut u64) {
    *n += 1;
}

fn ours(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let numbers = from_iter(0..events).stage().spawn();
        let mut last = map_in_place(add_one).stage().subscribe_to(&numbers).spawn();
        for _ in 1..ADDERS {
            last = map_in_place(add_one).stage().subscribe_to(&last).spawn();
        }
        let sum = fold(0, |sum: u64, n: u64| sum + n)
            .stage()
            .subscribe_to(&last)
            .spawn();
        let sum = sum.output().await.expect("the pipeline completes");
        assert_eq!(sum, expected(events, ADDERS));
        started.elapsed()
    })
}
