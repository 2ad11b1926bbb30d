//! What does a notification cost that nobody listens to?
//!
//! A producer without a buffer and without a subscriber emits one event at a
//! time, each in a turn of its own: it wakes itself. `turns alone` does the
//! same and emits nothing: the difference is the event, and is to have no
//! allocation. (A turn has one of its own, because the call of `handle_wake` is
//! boxed.) The peer is a `tokio::sync::broadcast` channel without a receiver.
//!
//! Counted and timed: a run of many notifications less a run of few.

use std::hint::black_box;
use std::time::{Duration, Instant};

use stages::prelude::*;
use stages::queue::{Pushed, QueueOptions, queue};
use tokio::runtime::Runtime;
use tokio::sync::broadcast;

use crate::counting::allocations;
use crate::measure::{RUNTIMES, runtime};

/// Notifications in the two runs.
const FEW: u64 = 10_000;
const MANY: u64 = 1_010_000;

/// Emits so many events, one in each turn.
struct Notifier {
    left: u64,
    emits: bool,
}

impl Producer for Notifier {
    type Event = u64;

    async fn handle_start(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        out.waker().wake_by_ref();
        Ok(())
    }

    async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, u64>) -> StageResult {
        Ok(())
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        if self.emits {
            out.push(self.left);
        }
        self.left -= 1;
        if self.left == 0 {
            out.complete();
        } else {
            out.waker().wake_by_ref();
        }
        Ok(())
    }
}

type Contender = (&'static str, fn(&Runtime, u64) -> Duration);

const CONTENDERS: [Contender; 5] = [
    ("turns alone", |on, count| {
        stage(on, count, false, Demand::new())
    }),
    ("Demand", |on, count| stage(on, count, true, Demand::new())),
    ("Broadcast", |on, count| {
        stage(on, count, true, Broadcast::new())
    }),
    ("queue", queue_without_subscriber),
    ("tokio::broadcast", channel),
];

/// Prints ns and allocations by notification.
pub(crate) fn run() {
    println!(
        "{:<8} {:<18} {:>12} {:>16}",
        "runtime", "", "ns", "allocations"
    );
    for label in RUNTIMES {
        let runtime = runtime(label);
        for (name, run) in CONTENDERS {
            // The first run of each grows what is kept. Of five, the fastest.
            let best = |count| {
                run(&runtime, count);
                let times = (0..5).map(|_| run(&runtime, count));
                times.min().unwrap_or_default().as_nanos() as f64
            };
            let counted = |count| {
                allocations(|| {
                    run(&runtime, count);
                }) as f64
            };
            let more = (MANY - FEW) as f64;
            let nanos = (best(MANY) - best(FEW)) / more;
            let allocations = (counted(MANY) - counted(FEW)) / more;
            println!("{label:<8} {name:<18} {nanos:>12.1} {allocations:>16.6}");
        }
    }
    println!("\nby notification that nobody listens to; turns alone: no notification");
}

fn stage<D>(runtime: &Runtime, count: u64, emits: bool, dispatcher: D) -> Duration
where
    D: stages::dispatcher::Dispatcher<Event = u64> + 'static,
    D::Route: Send,
{
    runtime.block_on(async {
        let left = count;
        let start = Instant::now();
        let notifier = Notifier { left, emits }
            .stage()
            .dispatcher(dispatcher)
            .buffer_size(0)
            .spawn();
        notifier.outcome().await;
        let time = start.elapsed();
        let discarded = if emits { count } else { 0 };
        assert_eq!(notifier.stats().discarded, discarded, "nobody listens");
        time
    })
}

/// A queue that keeps nothing while nobody is subscribed.
fn queue_without_subscriber(runtime: &Runtime, count: u64) -> Duration {
    runtime.block_on(async {
        let options = QueueOptions::new(Bound::Events(16)).while_subscribed();
        let (inlet, source) = queue(options);
        let source = source.stage().spawn();
        let start = Instant::now();
        let absent =
            (0..count).filter(|n| matches!(inlet.push(black_box(*n)), Pushed::NoSubscriber(_)));
        assert_eq!(absent.count() as u64, count, "nobody listens");
        let time = start.elapsed();
        drop(inlet);
        source.outcome().await;
        time
    })
}

fn channel(_: &Runtime, count: u64) -> Duration {
    let (sender, receiver) = broadcast::channel(16);
    drop(receiver);
    let start = Instant::now();
    let absent = (0..count).filter(|n| sender.send(black_box(*n)).is_err());
    assert_eq!(absent.count() as u64, count, "nobody listens");
    start.elapsed()
}
