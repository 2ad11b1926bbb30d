//! Costs of whole pipelines as they grow, on the multi-thread runtime.

use std::time::{Duration, Instant};

use stages::operators::{fold, from_iter, map};
use stages::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::median;
use super::plot::Plot;
use crate::measure::runtime;
use crate::peers::chain::{batches_of, expected};
use crate::peers::channel::Tokio;

/// The points of a curve: the figure of `cost` at each x.
fn curve(runs: u32, xs: &[u64], cost: impl Fn(&Runtime, u64) -> f64) -> Vec<(f64, f64)> {
    let runtime = runtime("mt2");
    xs.iter()
        .map(|&x| (x as f64, median(runs, || cost(&runtime, x))))
        .collect()
}

fn ns(took: Duration, events: u64) -> f64 {
    took.as_secs_f64() * 1e9 / events as f64
}

/// One producer, more and more consumers. Demand is small, so that all of them
/// together do not ask for more than there is.
pub(super) fn subscribers(runs: u32) -> Plot {
    let cost = |runtime: &Runtime, subscribers: u64| {
        let events = 1_000_000.max(subscribers * 200);
        runtime.block_on(async {
            let numbers = from_iter(0..events).stage().gate(Gate::Closed).spawn();
            let sums: Vec<_> = (0..subscribers)
                .map(|_| {
                    fold(0, |sum: u64, n: u64| sum + n)
                        .stage()
                        .subscribe_to(numbers.subscription().max_demand(100))
                        .spawn()
                })
                .collect();
            let started = Instant::now();
            numbers.set_gate(Gate::Open);
            let mut sum = 0;
            for part in sums {
                sum += part.output().await.expect("the pipeline completes");
            }
            assert_eq!(sum, expected(events, 0));
            ns(started.elapsed(), events)
        })
    };
    let xs = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000];
    Plot {
        name: "subscribers",
        title: "What an event costs, one producer, demand 100",
        across: "subscribers",
        up: "ns per event",
        curves: vec![("Demand", curve(runs, &xs, cost))],
    }
}

const STAGES: [u64; 6] = [2, 10, 100, 1000, 10_000, 100_000];

/// Pairs of a producer and a consumer, each with so many events.
fn pairs(runtime: &Runtime, pairs: u64, each: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let sums: Vec<_> = (0..pairs)
            .map(|_| {
                let numbers = from_iter(0..each).stage().spawn();
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
        assert_eq!(sum, pairs * expected(each, 0));
        started.elapsed()
    })
}

/// To spawn stages, wire them and end them.
pub(super) fn stages(runs: u32) -> Plot {
    let cost = |runtime: &Runtime, stages: u64| {
        // Few stages are done with too fast to be measured once.
        let times = (2000 / stages).max(1);
        let took: Duration = (0..times).map(|_| pairs(runtime, stages / 2, 0)).sum();
        ns(took, stages * times) / 1e3
    };
    Plot {
        name: "stages",
        title: "What it costs to spawn, wire and end a stage",
        across: "stages",
        up: "µs per stage",
        curves: vec![("stages", curve(runs, &STAGES, cost))],
    }
}

/// Events in many pairs at a time: what a run with them takes longer than one
/// without.
pub(super) fn events(runs: u32) -> Plot {
    let cost = |runtime: &Runtime, stages: u64| {
        let pairs_of_stages = stages / 2;
        // So many that spawning the stages is not most of the time.
        let each = (4_000_000 / pairs_of_stages).max(20_000);
        let without = pairs(runtime, pairs_of_stages, 0);
        let with = pairs(runtime, pairs_of_stages, each);
        // Noise must not make it negative, which no logarithm can show.
        ns(with.saturating_sub(without), pairs_of_stages * each).max(0.1)
    };
    Plot {
        name: "events",
        title: "What an event costs in many pairs of stages",
        across: "stages",
        up: "ns per event",
        curves: vec![("stages", curve(runs, &STAGES, cost))],
    }
}

/// The chain of W1 with more and more demand, beside vectors as long as our
/// batches.
pub(super) fn demand(runs: u32) -> Plot {
    let events = |demand: u64| (demand * 40).clamp(20_000, 4_000_000);
    let ours = |runtime: &Runtime, demand: u64| {
        let events = events(demand);
        runtime.block_on(async {
            let started = Instant::now();
            let max = demand as usize;
            let numbers = from_iter(0..events).stage().spawn();
            let added = map(|n: u64| n + 1)
                .stage()
                .subscribe_to(numbers.subscription().max_demand(max))
                .spawn();
            let sum = fold(0, |sum: u64, n: u64| sum + n)
                .stage()
                .subscribe_to(added.subscription().max_demand(max))
                .spawn();
            let sum = sum.output().await.expect("the pipeline completes");
            assert_eq!(sum, expected(events, 1));
            ns(started.elapsed(), events)
        })
    };
    let theirs = |runtime: &Runtime, demand: u64| {
        let (events, size) = (events(demand), demand.div_ceil(2));
        ns(batches_of::<Tokio>(runtime, events, 1, 2, size), events)
    };
    let xs = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000];
    Plot {
        name: "demand",
        title: "What an event costs in the chain W1",
        across: "max_demand; vectors of half as many over mpsc",
        up: "ns per event",
        curves: vec![
            ("stages", curve(runs, &xs, ours)),
            ("Vec over mpsc", curve(runs, &xs, theirs)),
        ],
    }
}

/// Events of more and more bytes over one link, beside vectors as long as our
/// batches. What is under way is kept to a megabyte, by less demand.
pub(super) fn size(runs: u32) -> Plot {
    let runtime = &runtime("mt2");
    let mut curves = vec![("stages", Vec::new()), ("Vec over mpsc", Vec::new())];
    let mut point = |bytes: usize, ours: Link, theirs: Link| {
        let demand = ((1 << 20) / bytes).clamp(16, 1000);
        let events = (1_u64 << 28) / (bytes as u64 + 128);
        for (curve, link) in curves.iter_mut().zip([ours, theirs]) {
            let cost = || ns(link(runtime, events, demand), events);
            curve.1.push((bytes as f64, median(runs, cost)));
        }
    };
    point(8, our_link::<8>, their_link::<8>);
    point(64, our_link::<64>, their_link::<64>);
    point(512, our_link::<512>, their_link::<512>);
    point(4096, our_link::<4096>, their_link::<4096>);
    point(65_536, our_link::<65_536>, their_link::<65_536>);
    Plot {
        name: "size",
        title: "What an event costs over one link, by its size",
        across: "bytes per event",
        up: "ns per event",
        curves,
    }
}

type Link = fn(&Runtime, u64, usize) -> Duration;

fn our_link<const BYTES: usize>(runtime: &Runtime, events: u64, demand: usize) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let blocks = from_iter((0..events).map(|n| [n as u8; BYTES]))
            .stage()
            .spawn();
        let sum = fold(0, |sum: u64, block: [u8; BYTES]| sum + u64::from(block[0]))
            .stage()
            .subscribe_to(blocks.subscription().max_demand(demand))
            .spawn();
        let sum = sum.output().await.expect("the pipeline completes");
        assert_eq!(sum, (0..events).map(|n| u64::from(n as u8)).sum::<u64>());
        started.elapsed()
    })
}

fn their_link<const BYTES: usize>(runtime: &Runtime, events: u64, demand: usize) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (sender, mut receiver) = mpsc::channel::<Vec<[u8; BYTES]>>(2);
        tokio::spawn(async move {
            let mut next = 0;
            while next < events {
                let end = events.min(next + demand as u64 / 2);
                let batch = (next..end).map(|n| [n as u8; BYTES]).collect();
                if sender.send(batch).await.is_err() {
                    return;
                }
                next = end;
            }
        });
        let sum = tokio::spawn(async move {
            let mut sum = 0;
            while let Some(batch) = receiver.recv().await {
                sum += batch.iter().map(|block| u64::from(block[0])).sum::<u64>();
            }
            sum
        });
        let sum = sum.await.expect("the task does not panic");
        assert_eq!(sum, (0..events).map(|n| u64::from(n as u8)).sum::<u64>());
        started.elapsed()
    })
}
