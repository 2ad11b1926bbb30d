//! W1: what does a chain of three stages cost per event?
//!
//! A producer of `u64`, a stage that adds one, a stage that sums; demand
//! 1000/500. The peer to beat is what an expert writes by hand: `Vec`s of 500
//! over bounded tokio channels, changed in place, one task per stage. The
//! other channels have one event at a time, as most people use them.
//! `futures-stream` is the same sum in a single task, without any hand-over:
//! the floor, not a peer.

use std::time::{Duration, Instant};

use futures::StreamExt;
use stages::RestartStrategy;
use stages::operators::{fold, from_iter, map, map_in_place};
use stages::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::measure::{Contender, Events, Workload};
use crate::peers::actors;
use crate::peers::chain::{BATCH, batches, expected, items};
use crate::peers::channel::{AsyncChannel, Crossfire, Flume, Futures, Kanal, Tokio};

const CAPACITY: usize = 1000;

pub(crate) const OURS: Contender = ("stages", ours);

pub(crate) const WORKLOAD: Workload = Workload {
    name: "W1",
    hops: 2,
    batch: BATCH as u32,
    events: Events::Timed,
    ours: Some(OURS),
    peers: PEERS,
};

/// The same with `map_in_place`, which fills no second buffer.
pub(crate) const IN_PLACE: Workload = Workload {
    name: "W1-in-place",
    ours: Some(("stages-in-place", ours_in_place)),
    peers: PEERS.split_at(1).0,
    ..WORKLOAD
};

/// In place, with all three stages on one task.
pub(crate) const CO_LOCATED: Workload = Workload {
    name: "W1-co",
    ours: Some(("stages-co", ours_co_located)),
    ..IN_PLACE
};

const PEERS: &[Contender] = &[
    ("vec500-mpsc", |r, n| batches::<Tokio>(r, n, 1, 2)),
    ("vec500-mpsc-returned", vec500_returned),
    ("vec500-kanal", |r, n| batches::<Kanal>(r, n, 1, 2)),
    ("vec500-crossfire", |r, n| batches::<Crossfire>(r, n, 1, 2)),
    ("item-mpsc", |r, n| items::<Tokio>(r, n, 1, CAPACITY)),
    ("recv_many-mpsc", recv_many),
    ("item-futures", |r, n| items::<Futures>(r, n, 1, CAPACITY)),
    ("item-flume", |r, n| items::<Flume>(r, n, 1, CAPACITY)),
    ("item-kanal", |r, n| items::<Kanal>(r, n, 1, CAPACITY)),
    ("item-async-channel", |r, n| {
        items::<AsyncChannel>(r, n, 1, CAPACITY)
    }),
    ("item-crossfire", |r, n| {
        items::<Crossfire>(r, n, 1, CAPACITY)
    }),
    ("ractor", actors::ractor),
    ("kameo", actors::kameo),
    ("tokio-stream", tokio_stream),
    ("futures-stream", futures_stream),
];

fn ours_in_place(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let numbers = from_iter(0..events).stage().spawn();
        let added = map_in_place(|n: &mut u64| *n += 1)
            .stage()
            .subscribe_to(&numbers)
            .spawn();
        let sum = fold(0, |sum: u64, n: u64| sum + n)
            .stage()
            .subscribe_to(&added)
            .spawn();
        let sum = sum.output().await.expect("the pipeline completes");
        assert_eq!(sum, expected(events, 1));
        started.elapsed()
    })
}

fn ours_co_located(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let pipeline = Pipeline::new();
        let chain = pipeline.group(RestartStrategy::OneForOne).co_located();
        let numbers = from_iter(0..events).stage().in_group(&chain).spawn();
        let added = map_in_place(|n: &mut u64| *n += 1)
            .stage()
            .subscribe_to(&numbers)
            .in_group(&chain)
            .spawn();
        let sum = fold(0, |sum: u64, n: u64| sum + n)
            .stage()
            .subscribe_to(&added)
            .in_group(&chain)
            .spawn();
        let sum = sum.output().await.expect("the pipeline completes");
        assert_eq!(sum, expected(events, 1));
        started.elapsed()
    })
}

fn ours(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let numbers = from_iter(0..events).stage().spawn();
        let added = map(|n: u64| n + 1).stage().subscribe_to(&numbers).spawn();
        let sum = fold(0, |sum: u64, n: u64| sum + n)
            .stage()
            .subscribe_to(&added)
            .spawn();
        let sum = sum.output().await.expect("the pipeline completes");
        assert_eq!(sum, expected(events, 1));
        started.elapsed()
    })
}

/// The expert who also sends the emptied vectors back to the source, over a
/// channel the other way: no allocation, one more hand-over a batch.
fn vec500_returned(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (to_add, mut from_numbers) = mpsc::channel::<Vec<u64>>(2);
        let (to_sum, mut from_add) = mpsc::channel::<Vec<u64>>(2);
        let (give_back, mut emptied) = mpsc::channel::<Vec<u64>>(8);
        tokio::spawn(async move {
            let mut next = 0;
            while next < events {
                let end = events.min(next + BATCH);
                let mut batch = emptied
                    .try_recv()
                    .unwrap_or_else(|_| Vec::with_capacity(BATCH as usize));
                batch.extend(next..end);
                if to_add.send(batch).await.is_err() {
                    return;
                }
                next = end;
            }
        });
        tokio::spawn(async move {
            while let Some(mut batch) = from_numbers.recv().await {
                for n in &mut batch {
                    *n += 1;
                }
                if to_sum.send(batch).await.is_err() {
                    return;
                }
            }
        });
        let sum = tokio::spawn(async move {
            let mut sum = 0;
            while let Some(mut batch) = from_add.recv().await {
                sum += batch.iter().sum::<u64>();
                batch.clear();
                // One that is not taken back is dropped.
                let _ = give_back.try_send(batch);
            }
            sum
        });
        let sum = sum.await.expect("the task does not panic");
        assert_eq!(sum, expected(events, 1));
        started.elapsed()
    })
}

/// Single events sent, as many received at once as there are.
fn recv_many(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (to_add, mut from_numbers) = mpsc::channel::<u64>(CAPACITY);
        let (to_sum, mut from_add) = mpsc::channel::<u64>(CAPACITY);
        tokio::spawn(async move {
            for n in 0..events {
                if to_add.send(n).await.is_err() {
                    return;
                }
            }
        });
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(BATCH as usize);
            while from_numbers.recv_many(&mut batch, BATCH as usize).await > 0 {
                for n in batch.drain(..) {
                    if to_sum.send(n + 1).await.is_err() {
                        return;
                    }
                }
            }
        });
        let sum = tokio::spawn(async move {
            let (mut sum, mut batch) = (0, Vec::with_capacity(BATCH as usize));
            while from_add.recv_many(&mut batch, BATCH as usize).await > 0 {
                sum += batch.drain(..).sum::<u64>();
            }
            sum
        });
        let sum = sum.await.expect("the task does not panic");
        assert_eq!(sum, expected(events, 1));
        started.elapsed()
    })
}

/// A task that sends single events, and a stream in another that adds and
/// sums.
fn tokio_stream(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (to_add, from_numbers) = mpsc::channel::<u64>(CAPACITY);
        tokio::spawn(async move {
            for n in 0..events {
                if to_add.send(n).await.is_err() {
                    return;
                }
            }
        });
        let sum = tokio::spawn(
            ReceiverStream::new(from_numbers)
                .map(|n| n + 1)
                .fold(0, |sum, n| async move { sum + n }),
        );
        let sum = sum.await.expect("the task does not panic");
        assert_eq!(sum, expected(events, 1));
        started.elapsed()
    })
}

fn futures_stream(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let sum = tokio::spawn(
            futures::stream::iter(0..events)
                .map(|n| n + 1)
                .fold(0, |sum, n| async move { sum + n }),
        );
        let sum = sum.await.expect("the task does not panic");
        assert_eq!(sum, expected(events, 1));
        started.elapsed()
    })
}
