//! W5: what does it cost to show every event to eight consumers?
//!
//! Once with `u64`, once with payloads of 1 KiB that count their clones: there
//! must be none, ours and theirs alike. A consumer reads one word of each
//! event, by reference. The peers send an `Arc` of a vector of 500 to each of
//! eight channels, or put it into a broadcast channel once. A figure is for
//! one event, seen by all eight.
//!
//! tokio's broadcast has no back-pressure: a receiver that lags loses events.
//! Credits make it lose none, as a user who cannot lose any would have to.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stages::operators::from_iter;
use stages::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, broadcast, mpsc};

use crate::measure::{Contender, Events, Workload};
use crate::peers::chain::{BATCH, expected};
use crate::peers::fan::total;

const CONSUMERS: usize = 8;
/// Batches that a consumer may be behind.
const AHEAD: usize = 2;

pub(crate) const WORKLOAD: Workload = Workload {
    name: "W5",
    hops: CONSUMERS as u32,
    batch: BATCH as u32,
    events: Events::Timed,
    ours: Some(OURS),
    peers: &[
        ("arc-vec500-mpsc", arc_vec_mpsc::<u64>),
        ("async-broadcast", async_broadcast::<u64>),
        ("tokio-broadcast", tokio_broadcast::<u64>),
    ],
};

pub(crate) const OURS: Contender = ("stages", ours::<u64>);

pub(crate) const PAYLOADS: Workload = Workload {
    name: "W5-1KiB",
    ours: Some(("stages", ours::<Payload>)),
    peers: &[
        ("arc-vec500-mpsc", arc_vec_mpsc::<Payload>),
        ("arc-vec500-reused", arc_vec_reused),
        ("async-broadcast", async_broadcast::<Payload>),
        ("tokio-broadcast", tokio_broadcast::<Payload>),
    ],
    ..WORKLOAD
};

/// What is broadcast.
trait Event: Clone + Send + Sync + 'static {
    fn new(n: u64) -> Self;
    fn number(&self) -> u64;
}

impl Event for u64 {
    fn new(n: u64) -> Self {
        n
    }

    fn number(&self) -> u64 {
        *self
    }
}

/// 1 KiB that nobody should copy.
struct Payload([u64; 128]);

static CLONES: AtomicU64 = AtomicU64::new(0);

impl Clone for Payload {
    fn clone(&self) -> Self {
        CLONES.fetch_add(1, Ordering::Relaxed);
        Self(self.0)
    }
}

impl Event for Payload {
    fn new(n: u64) -> Self {
        Self([n; 128])
    }

    fn number(&self) -> u64 {
        self.0[0]
    }
}

/// All consumers have seen everything, and nobody has copied anything.
fn check(sum: u64, events: u64) {
    assert_eq!(sum, CONSUMERS as u64 * expected(events, 0));
    assert_eq!(CLONES.load(Ordering::Relaxed), 0, "payloads were cloned");
}

struct Sum<E> {
    sum: u64,
    events: PhantomData<fn(E)>,
}

impl<E: Event> Consumer for Sum<E> {
    type Event = E;

    async fn handle_events(&mut self, events: &mut Batch<E>, _cx: &mut Context<'_>) -> StageResult {
        self.sum += events.iter().map(E::number).sum::<u64>();
        Ok(())
    }
}

fn ours<E: Event>(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        // Closed until all have subscribed, so that nobody misses the first.
        let numbers = from_iter((0..events).map(E::new))
            .stage()
            .dispatcher(Broadcast::new())
            .gate(Gate::Closed)
            .spawn();
        let sums: Vec<_> = (0..CONSUMERS)
            .map(|_| {
                let sum = Sum::<E> {
                    sum: 0,
                    events: PhantomData,
                };
                sum.stage().subscribe_to(&numbers).spawn()
            })
            .collect();
        numbers.set_gate(Gate::Open);
        let mut sum = 0;
        for part in sums {
            let part = part.join_stage().await.expect("the pipeline completes");
            sum += part.sum;
        }
        check(sum, events);
        started.elapsed()
    })
}

fn arc_vec_mpsc<E: Event>(runtime: &Runtime, events: u64) -> Duration {
    over_mpsc(runtime, events, |numbers| {
        Arc::new(numbers.map(E::new).collect())
    })
}

/// The expert who keeps the vectors and fills them again once nobody reads
/// them any more: half a megabyte each is worth it.
fn arc_vec_reused(runtime: &Runtime, events: u64) -> Duration {
    let mut pool: Vec<Arc<Vec<Payload>>> = Vec::new();
    over_mpsc(runtime, events, move |numbers| {
        let free = pool.iter().position(|batch| Arc::strong_count(batch) == 1);
        let at = free.unwrap_or_else(|| {
            pool.push(Arc::new(Vec::with_capacity(BATCH as usize)));
            pool.len() - 1
        });
        let batch = Arc::get_mut(&mut pool[at]).expect("nobody else has it");
        batch.clear();
        batch.extend(numbers.map(Payload::new));
        Arc::clone(&pool[at])
    })
}

fn over_mpsc<E: Event>(
    runtime: &Runtime,
    events: u64,
    mut batch: impl FnMut(Range<u64>) -> Arc<Vec<E>> + Send + 'static,
) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (mut senders, mut sums) = (Vec::new(), Vec::new());
        for _ in 0..CONSUMERS {
            let (sender, mut receiver) = mpsc::channel::<Arc<Vec<E>>>(AHEAD);
            senders.push(sender);
            sums.push(tokio::spawn(async move {
                let mut sum = 0;
                while let Some(batch) = receiver.recv().await {
                    sum += batch.iter().map(E::number).sum::<u64>();
                }
                sum
            }));
        }
        tokio::spawn(async move {
            let mut next = 0;
            while next < events {
                let end = events.min(next + BATCH);
                let batch = batch(next..end);
                for sender in &senders {
                    if sender.send(Arc::clone(&batch)).await.is_err() {
                        return;
                    }
                }
                next = end;
            }
        });
        check(total(sums).await, events);
        started.elapsed()
    })
}

fn async_broadcast<E: Event>(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (sender, receiver) = async_broadcast::broadcast::<Arc<Vec<E>>>(AHEAD);
        let sums: Vec<_> = (0..CONSUMERS)
            .map(|_| {
                let mut receiver = receiver.clone();
                tokio::spawn(async move {
                    let mut sum = 0;
                    while let Ok(batch) = receiver.recv_direct().await {
                        sum += batch.iter().map(E::number).sum::<u64>();
                    }
                    sum
                })
            })
            .collect();
        // It would be waited for, too.
        drop(receiver);
        tokio::spawn(async move {
            let mut next = 0;
            while next < events {
                let end = events.min(next + BATCH);
                let batch = Arc::new((next..end).map(E::new).collect());
                if sender.broadcast_direct(batch).await.is_err() {
                    return;
                }
                next = end;
            }
        });
        check(total(sums).await, events);
        started.elapsed()
    })
}

fn tokio_broadcast<E: Event>(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (sender, _) = broadcast::channel::<Arc<Vec<E>>>(AHEAD);
        // A consumer gives a credit back for every batch that it has read, and
        // a batch needs one of each.
        let credits: Vec<_> = (0..CONSUMERS)
            .map(|_| Arc::new(Semaphore::new(AHEAD)))
            .collect();
        let sums: Vec<_> = credits
            .iter()
            .map(|credit| {
                let (mut receiver, credit) = (sender.subscribe(), Arc::clone(credit));
                tokio::spawn(async move {
                    let mut sum = 0;
                    while let Ok(batch) = receiver.recv().await {
                        credit.add_permits(1);
                        sum += batch.iter().map(E::number).sum::<u64>();
                    }
                    sum
                })
            })
            .collect();
        tokio::spawn(async move {
            let mut next = 0;
            while next < events {
                let end = events.min(next + BATCH);
                let batch = Arc::new((next..end).map(E::new).collect());
                for credit in &credits {
                    credit.acquire().await.expect("it is never closed").forget();
                }
                if sender.send(batch).is_err() {
                    return;
                }
                next = end;
            }
        });
        check(total(sums).await, events);
        started.elapsed()
    })
}
