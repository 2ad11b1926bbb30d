//! W1: what does a chain of three stages cost per event?
//!
//! A producer of `u64`, a stage that adds one, a stage that sums; demand
//! 1000/500. The peer to beat is what an expert writes by hand: `Vec`s of 500
//! over bounded tokio channels, changed in place, one task per stage. The
//! other is what most people write: one item at a time.

use std::time::{Duration, Instant};

use stages::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::measure::{Contender, Options, Row, workload};

const OURS: Contender = ("stages", ours);
const PEERS: [Contender; 2] = [("vec500-mpsc", vec500_mpsc), ("item-mpsc", item_mpsc)];

/// Runs the workload.
pub(crate) fn run(options: &Options) -> Vec<Row> {
    workload("W1", OURS, &PEERS, options)
}

fn expected(events: u64) -> u64 {
    events * (events + 1) / 2
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
        assert_eq!(sum, expected(events));
        started.elapsed()
    })
}

fn vec500_mpsc(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (to_add, mut from_numbers) = mpsc::channel::<Vec<u64>>(2);
        let (to_sum, mut from_add) = mpsc::channel::<Vec<u64>>(2);
        tokio::spawn(async move {
            let mut next = 0;
            while next < events {
                let end = events.min(next + 500);
                if to_add.send((next..end).collect()).await.is_err() {
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
            while let Some(batch) = from_add.recv().await {
                sum += batch.iter().sum::<u64>();
            }
            sum
        });
        let sum = sum.await.expect("the task does not panic");
        assert_eq!(sum, expected(events));
        started.elapsed()
    })
}

fn item_mpsc(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (to_add, mut from_numbers) = mpsc::channel::<u64>(1000);
        let (to_sum, mut from_add) = mpsc::channel::<u64>(1000);
        tokio::spawn(async move {
            for n in 0..events {
                if to_add.send(n).await.is_err() {
                    return;
                }
            }
        });
        tokio::spawn(async move {
            while let Some(n) = from_numbers.recv().await {
                if to_sum.send(n + 1).await.is_err() {
                    return;
                }
            }
        });
        let sum = tokio::spawn(async move {
            let mut sum = 0;
            while let Some(n) = from_add.recv().await {
                sum += n;
            }
            sum
        });
        let sum = sum.await.expect("the task does not panic");
        assert_eq!(sum, expected(events));
        started.elapsed()
    })
}
