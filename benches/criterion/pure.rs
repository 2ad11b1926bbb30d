//! The parts without a runtime, one by one: what a batch, a window of demand
//! and a dispatcher cost.
//!
//! ```sh
//! cargo bench -p benches
//! ```
#![allow(
    missing_docs,
    reason = "criterion's macro makes a function without any"
)]

use std::hint::black_box;
use std::num::NonZeroUsize;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stages::dispatcher::PartitionKey;
use stages::{
    Batch, Broadcast, Demand, DemandLimits, Partition, Selector, SubscriptionId,
    dispatcher::{Deliveries, Dispatcher},
    protocol::DemandWindow,
};

const BATCH: u64 = 500;
const SUBSCRIBERS: u64 = 8;

/// To take every event of a batch, beside the same on a vector. All fill the
/// same allocation again and again.
fn take(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("take");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("vec_drain", |bencher| {
        let mut buffer = Vec::with_capacity(BATCH as usize);
        bencher.iter(|| {
            buffer.extend(black_box(0)..BATCH);
            buffer.drain(..).sum::<u64>()
        });
    });
    group.bench_function("batch_for", |bencher| {
        batches(bencher, |batch| batch.into_iter().sum());
    });
    group.bench_function("batch_pop_front", |bencher| {
        batches(bencher, |batch| {
            let mut sum = 0;
            while let Some(event) = batch.pop_front() {
                sum += event;
            }
            sum
        });
    });
    group.bench_function("batch_hold_advance", |bencher| {
        batches(bencher, |batch| {
            let mut sum = 0;
            while let Some(event) = batch.peek() {
                sum += event;
                batch.advance(1);
            }
            sum
        });
    });
    group.bench_function("batch_by_reference", |bencher| {
        batches(bencher, |batch| batch.iter().sum());
    });
    group.finish();
}

fn batches(bencher: &mut criterion::Bencher<'_>, sum: impl Fn(&mut Batch<u64>) -> u64) {
    let mut buffer = Vec::with_capacity(BATCH as usize);
    bencher.iter(|| {
        buffer.extend(black_box(0)..BATCH);
        let mut batch = Batch::from(std::mem::take(&mut buffer));
        let sum = sum(&mut batch);
        buffer = batch.recycle().unwrap_or_default();
        sum
    });
}

/// To map a batch into another.
fn map(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("map");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("vec_in_place", |bencher| {
        let mut buffer: Vec<u64> = (0..BATCH).collect();
        bencher.iter(|| {
            for event in &mut buffer {
                *event += 1;
            }
            black_box(buffer.last());
        });
    });
    group.bench_function("batch_extend", |bencher| {
        let mut out: Vec<u64> = Vec::with_capacity(BATCH as usize);
        let mut buffer: Vec<u64> = (0..BATCH).collect();
        bencher.iter(|| {
            let mut batch = Batch::from(std::mem::take(&mut buffer));
            out.extend((&mut batch).into_iter().map(|event| event + 1));
            black_box(out.last());
            buffer = std::mem::replace(&mut out, batch.recycle().unwrap_or_default());
        });
    });
    group.finish();
}

/// What a consumer reckons for each batch.
fn window(criterion: &mut Criterion) {
    let mut window = DemandWindow::new(DemandLimits::default());
    let _ = window.open();
    criterion.bench_function("window/handled", |bencher| {
        bencher.iter(|| window.handled(black_box(BATCH as usize)));
    });
}

fn id(subscriber: u64) -> SubscriptionId {
    SubscriptionId::new(subscriber + 1)
}

/// A round of eight asks and the events that answer them.
fn round<D: Dispatcher<Event = u64>>(
    criterion: &mut Criterion,
    name: &str,
    mut dispatcher: D,
    route: impl Fn(u64) -> D::Route,
    events: u64,
) {
    let mut out = Deliveries::new();
    for subscriber in 0..SUBSCRIBERS {
        let subscribed = dispatcher.subscribe(id(subscriber), route(subscriber));
        subscribed.expect("everybody is new");
    }
    let mut group = criterion.benchmark_group("dispatch");
    group.throughput(Throughput::Elements(events));
    let each = NonZeroUsize::new(BATCH as usize).expect("it is not 0");
    group.bench_function(BenchmarkId::new(name, SUBSCRIBERS), |bencher| {
        bencher.iter(|| {
            for subscriber in 0..SUBSCRIBERS {
                black_box(dispatcher.ask(id(subscriber), each, &mut out));
            }
            let mut from = 0;
            while from < events {
                let to = events.min(from + BATCH);
                let batch = Batch::from_iter(from..to);
                black_box(dispatcher.dispatch(batch, &mut out));
                from = to;
            }
            let delivered: usize = out.take_sends().map(|(_, batch)| batch.len()).sum();
            black_box(out.take_requested());
            delivered
        });
    });
    group.finish();
}

/// What a dispatcher costs by event, with a fresh vector for each 500.
fn dispatch(criterion: &mut Criterion) {
    let all = BATCH * SUBSCRIBERS;
    round(criterion, "demand", Demand::new(), |_| (), all);
    // Everybody gets each event, so there are as many as one asks for.
    round(
        criterion,
        "broadcast",
        Broadcast::new(),
        |_| Selector::all(),
        BATCH,
    );
    let partition = Partition::new(SUBSCRIBERS as usize).expect("eight are fine");
    round(
        criterion,
        "partition",
        partition,
        |n| PartitionKey(n as usize),
        all,
    );
}

criterion_group!(pure, take, map, window, dispatch);
criterion_main!(pure);
