//! How long does an event take from emit to handle, at a given rate?
//!
//! A source and a sink. The source has a timetable: event n is due n periods
//! after the start, and is emitted at the first look at the clock after that,
//! with all others that are due. What is measured is from the time an event
//! was *due* to the time its handler was called, so a source that is held up
//! does not hide it. The source never sleeps, since a timer is not fine
//! enough: between two looks it lets the others run.
//!
//! First the maximal rate is measured, by the same source without a timetable;
//! then latencies at 10, 50 and 90 % of it, for each contender by its own
//! maximum. One event in sixteen is recorded.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use stages::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::yield_now;

use crate::measure::{RUNTIMES, runtime};

/// How long to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Seconds at each rate.
    #[arg(long, default_value_t = 1.0)]
    secs: f64,
}

const SAMPLE: usize = 16;
/// What is longer counts as this: a minute.
const LONGEST: u64 = 60_000_000_000;
const SHARES: [f64; 3] = [0.1, 0.5, 0.9];

/// Runs a timetable from a source to a sink and returns what the sink saw.
type Contender = (&'static str, fn(&Runtime, Timetable) -> Seen);

const CONTENDERS: [Contender; 3] = [
    ("stages", ours),
    ("vec500-mpsc", vec_mpsc),
    ("item-mpsc", item_mpsc),
];

/// Prints the percentiles of all.
pub(crate) fn run(options: &Options) {
    println!(
        "{:<8} {:<12} {:>6} {:>14} {:>10} {:>10} {:>10}",
        "runtime", "", "load", "events/s", "p50", "p99", "p99.9"
    );
    for label in RUNTIMES {
        let runtime = runtime(label);
        for (name, contender) in CONTENDERS {
            let most = maximum(&runtime, contender, options.secs);
            for share in SHARES {
                let rate = most * share;
                let seen = contender(&runtime, Timetable::at(rate, options.secs));
                let micros = |quantile| {
                    let nanos = seen.latencies.value_at_quantile(quantile);
                    format!("{:.1} µs", nanos as f64 / 1e3)
                };
                println!(
                    "{label:<8} {name:<12} {:>5.0}% {rate:>14.0} {:>10} {:>10} {:>10}",
                    share * 100.0,
                    micros(0.5),
                    micros(0.99),
                    micros(0.999),
                );
            }
        }
    }
    println!(
        "\nfrom the time an event was due to the call of its handler; load: of its own maximum"
    );
}

/// Events a second without a timetable, the median of three.
fn maximum(runtime: &Runtime, contender: fn(&Runtime, Timetable) -> Seen, secs: f64) -> f64 {
    let mut events = 100_000;
    let rate = |events| {
        let seen = contender(runtime, Timetable::flat_out(events));
        (events as f64 / seen.took.as_secs_f64(), seen.took)
    };
    while rate(events).1.as_secs_f64() < secs / 8.0 {
        events *= 2;
    }
    let mut rates = [rate(events).0, rate(events).0, rate(events).0];
    rates.sort_by(f64::total_cmp);
    rates[1]
}

/// When events are due.
#[derive(Debug, Clone, Copy)]
struct Timetable {
    started: Instant,
    /// Nanoseconds from event to event; 0 for none.
    period: f64,
    next: u64,
    events: u64,
}

impl Timetable {
    fn at(rate: f64, secs: f64) -> Self {
        Self {
            started: Instant::now(),
            period: 1e9 / rate,
            next: 0,
            events: (rate * secs) as u64,
        }
    }

    fn flat_out(events: u64) -> Self {
        Self {
            started: Instant::now(),
            period: 0.0,
            next: 0,
            events,
        }
    }

    /// The times, in nanoseconds after the start, of the events that are due
    /// now, and of at most `most` of them.
    fn due(&mut self, most: usize) -> impl ExactSizeIterator<Item = u64> + use<> {
        let Self { period, next, .. } = *self;
        let due = if period == 0.0 {
            self.events
        } else {
            let now = self.started.elapsed().as_nanos() as f64;
            ((now / period) as u64 + 1).min(self.events)
        };
        let count = usize::try_from(due.saturating_sub(next)).map_or(most, |due| due.min(most));
        self.next += count as u64;
        (0..count).map(move |n| ((next + n as u64) as f64 * period) as u64)
    }

    fn is_over(&self) -> bool {
        self.next == self.events
    }
}

/// What the sink has seen.
struct Seen {
    started: Instant,
    events: usize,
    latencies: Histogram<u64>,
    took: Duration,
}

impl Seen {
    fn new(timetable: &Timetable) -> Self {
        Self {
            started: timetable.started,
            events: 0,
            latencies: Histogram::new_with_bounds(1, LONGEST, 3).expect("these bounds are fine"),
            took: Duration::ZERO,
        }
    }

    /// Events whose handler is called now.
    fn handle(&mut self, due: &[u64]) {
        let first = self.events.next_multiple_of(SAMPLE) - self.events;
        self.events += due.len();
        if let Some(sampled) = due.get(first..).filter(|rest| !rest.is_empty()) {
            let now = self.started.elapsed().as_nanos() as u64;
            for due in sampled.iter().step_by(SAMPLE) {
                self.latencies.saturating_record(now.saturating_sub(*due));
            }
        }
    }

    fn finish(mut self, timetable: &Timetable) -> Self {
        assert_eq!(self.events as u64, timetable.events);
        self.took = self.started.elapsed();
        self
    }
}

struct Source(Timetable);

impl Producer for Source {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        out.extend(self.0.due(demand));
        if self.0.is_over() {
            out.complete();
        } else {
            out.again();
        }
        Ok(())
    }
}

struct Sink(Seen);

impl Consumer for Sink {
    type Event = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        self.0.handle(events);
        Ok(())
    }
}

fn ours(runtime: &Runtime, timetable: Timetable) -> Seen {
    runtime.block_on(async {
        let source = Source(timetable).stage().spawn();
        let sink = Sink(Seen::new(&timetable)).stage().subscribe_to(&source);
        let sink = sink.spawn().join_stage().await;
        sink.expect("the pipeline completes").0.finish(&timetable)
    })
}

/// Sends what is due as one vector.
fn vec_mpsc(runtime: &Runtime, timetable: Timetable) -> Seen {
    runtime.block_on(async {
        let (sender, mut receiver) = mpsc::channel::<Vec<u64>>(2);
        let mut seen = Seen::new(&timetable);
        let sink = tokio::spawn(async move {
            while let Some(batch) = receiver.recv().await {
                seen.handle(&batch);
            }
            seen
        });
        tokio::spawn(async move {
            let mut timetable = timetable;
            while !timetable.is_over() {
                let due = timetable.due(500);
                if due.len() == 0 {
                    yield_now().await;
                } else if sender.send(due.collect()).await.is_err() {
                    return;
                }
            }
        });
        let seen = sink.await.expect("the task does not panic");
        seen.finish(&timetable)
    })
}

/// Sends what is due, one after the other.
fn item_mpsc(runtime: &Runtime, timetable: Timetable) -> Seen {
    runtime.block_on(async {
        let (sender, mut receiver) = mpsc::channel::<u64>(1000);
        let mut seen = Seen::new(&timetable);
        let sink = tokio::spawn(async move {
            while let Some(due) = receiver.recv().await {
                seen.handle(&[due]);
            }
            seen
        });
        tokio::spawn(async move {
            let mut timetable = timetable;
            while !timetable.is_over() {
                let due = timetable.due(1000);
                if due.len() == 0 {
                    yield_now().await;
                }
                for due in due {
                    if sender.send(due).await.is_err() {
                        return;
                    }
                }
            }
        });
        let seen = sink.await.expect("the task does not panic");
        seen.finish(&timetable)
    })
}
