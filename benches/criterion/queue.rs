//! What a push into a queue costs, and what the kinds of lock under it would cost.
//!
//! ```sh
//! cargo bench -p benches --bench queue
//! ```
#![allow(
    missing_docs,
    reason = "criterion's macro makes a function without any"
)]

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Bencher, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam_queue::{ArrayQueue, SegQueue};
use futures::FutureExt;
use parking_lot::Mutex;
use stages::protocol::Commands;
use stages::queue::{FromQueue, Pushed, QueueOptions, WhenFull, queue};
use stages::{Bound, Context, Emitter, Producer};

const BATCH: u64 = 500;
const LIMIT: usize = 1_000;

/// Has the source take everything.
fn take(source: &mut FromQueue<u64>, out: &mut Vec<u64>) {
    let mut commands = Commands::default();
    let context = Context::new("source", None, Waker::noop(), &mut commands);
    let mut emitter = Emitter::new(out, context);
    let taken = source.handle_demand(LIMIT, &mut emitter).now_or_never();
    assert!(matches!(taken, Some(Ok(()))));
}

/// A push, and the event's share of the call that takes it.
fn push(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("push");
    group.throughput(Throughput::Elements(BATCH));
    let bytes = Bound::Bytes {
        limit: 8 * LIMIT,
        weigh: |_: &u64| 8,
    };
    for (name, bound) in [("events", Bound::Events(LIMIT)), ("bytes", bytes)] {
        group.bench_function(BenchmarkId::new("stored", name), |bencher| {
            let (inlet, mut source) = queue(bound);
            let mut out = Vec::new();
            bencher.iter(|| {
                for n in 0..BATCH {
                    let _ = black_box(inlet.push(black_box(n)));
                }
                take(&mut source, &mut out);
                black_box(&mut out).clear();
            });
        });
    }
    for policy in [WhenFull::DropOldest, WhenFull::DropNewest] {
        group.bench_function(BenchmarkId::new("full", format!("{policy:?}")), |bencher| {
            let options = QueueOptions::new(Bound::Events(LIMIT)).when_full(policy);
            let (inlet, _source) = queue(options.shed(|shed| drop(black_box(shed))));
            (0..LIMIT as u64).for_each(|n| drop(inlet.push(n)));
            bencher.iter(|| {
                for n in 0..BATCH {
                    let _ = black_box(inlet.push(black_box(n)));
                }
            });
        });
    }
    group.bench_function("nobody_listens", |bencher| {
        let (inlet, _source) = queue(QueueOptions::new(Bound::Events(LIMIT)).while_subscribed());
        bencher.iter(|| {
            for n in 0..BATCH {
                black_box(matches!(inlet.push(black_box(n)), Pushed::NoSubscriber(_)));
            }
        });
    });
    group.finish();
}

/// A queue with a bound and a reader that says whether it waits.
trait Candidate: Send + Sync + 'static {
    fn push(&self, event: u64) -> bool;
    fn take(&self, out: &mut Vec<u64>);
}

#[derive(Default)]
struct Locked {
    state: Mutex<(VecDeque<u64>, bool)>,
    woken: AtomicUsize,
}

impl Candidate for Locked {
    fn push(&self, event: u64) -> bool {
        let mut state = self.state.lock();
        if state.0.len() >= LIMIT {
            return false;
        }
        state.0.push_back(event);
        if std::mem::take(&mut state.1) {
            self.woken.fetch_add(1, SeqCst);
        }
        true
    }

    fn take(&self, out: &mut Vec<u64>) {
        let emptied = VecDeque::from(std::mem::take(out));
        let mut state = self.state.lock();
        let taken = std::mem::replace(&mut state.0, emptied);
        state.1 = taken.len() < LIMIT;
        drop(state);
        *out = Vec::from(taken);
    }
}

/// The wake-up of a reader of a queue without a lock.
#[derive(Default)]
struct Reader {
    reader_waits: AtomicBool,
    woken: AtomicUsize,
}

impl Reader {
    fn wake(&self) {
        if self.reader_waits.load(SeqCst) && self.reader_waits.swap(false, SeqCst) {
            self.woken.fetch_add(1, SeqCst);
        }
    }
}

#[derive(Default)]
struct Segments {
    events: SegQueue<u64>,
    len: AtomicUsize,
    reader: Reader,
}

impl Candidate for Segments {
    fn push(&self, event: u64) -> bool {
        if self.len.fetch_add(1, SeqCst) >= LIMIT {
            self.len.fetch_sub(1, SeqCst);
            return false;
        }
        self.events.push(event);
        self.reader.wake();
        true
    }

    fn take(&self, out: &mut Vec<u64>) {
        out.extend(std::iter::from_fn(|| self.events.pop()).take(LIMIT));
        self.len.fetch_sub(out.len(), SeqCst);
        self.reader.reader_waits.store(out.len() < LIMIT, SeqCst);
    }
}

struct Array {
    events: ArrayQueue<u64>,
    reader: Reader,
}

impl Default for Array {
    fn default() -> Self {
        Self {
            events: ArrayQueue::new(LIMIT),
            reader: Reader::default(),
        }
    }
}

impl Candidate for Array {
    fn push(&self, event: u64) -> bool {
        let stored = self.events.push(event).is_ok();
        self.reader.wake();
        stored
    }

    fn take(&self, out: &mut Vec<u64>) {
        out.extend(std::iter::from_fn(|| self.events.pop()).take(LIMIT));
        self.reader.reader_waits.store(out.len() < LIMIT, SeqCst);
    }
}

/// The time in which the reader has the events of all pushers.
fn across<Q: Candidate + Default>(pushers: u64, rounds: u64) -> Duration {
    let events = rounds * BATCH / pushers;
    let queue = Arc::new(Q::default());
    let start = Arc::new(Barrier::new(pushers as usize + 1));
    let threads: Vec<_> = (0..pushers)
        .map(|_| {
            let (queue, start) = (Arc::clone(&queue), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                for n in 0..events {
                    while !queue.push(n) {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    start.wait();
    let begin = Instant::now();
    let (mut taken, mut out) = (0, Vec::new());
    while taken < events * pushers {
        queue.take(&mut out);
        if out.is_empty() {
            thread::yield_now();
        }
        taken += out.len() as u64;
        black_box(&mut out).clear();
    }
    let time = begin.elapsed();
    for thread in threads {
        thread.join().expect("it only pushes");
    }
    time
}

/// One thread pushes and takes in turn.
fn alone<Q: Candidate + Default>(bencher: &mut Bencher<'_>) {
    let (queue, mut out) = (Q::default(), Vec::new());
    bencher.iter(|| {
        for n in 0..BATCH {
            black_box(queue.push(black_box(n)));
        }
        queue.take(&mut out);
        black_box(&mut out).clear();
    });
}

fn candidate<Q: Candidate + Default>(criterion: &mut Criterion, name: &str) {
    let mut group = criterion.benchmark_group("lock");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function(BenchmarkId::new(name, "alone"), alone::<Q>);
    for pushers in [1, 2] {
        group.bench_function(BenchmarkId::new(name, pushers), |bencher| {
            bencher.iter_custom(|rounds| across::<Q>(pushers, rounds));
        });
    }
    group.finish();
}

fn lock(criterion: &mut Criterion) {
    candidate::<Locked>(criterion, "mutex");
    candidate::<Segments>(criterion, "seg_queue");
    candidate::<Array>(criterion, "array_queue");
}

criterion_group!(queues, push, lock);
criterion_main!(queues);
