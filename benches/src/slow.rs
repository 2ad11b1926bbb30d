//! What does one slow subscriber of eight cost the seven others?
//!
//! The slow one takes a millisecond for an event. With `Broadcast` all move at
//! its pace. With `Detached` it has a queue of its own that drops the oldest,
//! and the others have one that waits, so they miss nothing. The peer is
//! `tokio::sync::broadcast`, whose receivers lose what they are too slow for.
//!
//! Timed until each of the seven has come to the last event.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stages::WhenFull;
use stages::operators::{for_each, for_each_async, from_iter};
use stages::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast};
use tokio::time::sleep;

use crate::measure::{RUNTIMES, runtime};

const OTHERS: u32 = 7;
const SLOW: Duration = Duration::from_millis(1);
/// Events that a receiver may be behind.
const BEHIND: usize = 4_096;

type Contender = (&'static str, u64, fn(&Runtime, u64) -> Run);

/// How long it took, and how many events the others have missed.
struct Run {
    time: Duration,
    missed: u64,
}

const CONTENDERS: [Contender; 3] = [
    ("Broadcast", 1_000, |on, events| {
        ours(on, events, Broadcast::new(), Selector::all, Selector::all)
    }),
    ("Detached", 1_000_000, |on, events| {
        let queue = |policy| {
            SubscriberQueue::new()
                .bound(Bound::Events(BEHIND))
                .when_full(policy)
        };
        ours(
            on,
            events,
            Detached::new(),
            || queue(WhenFull::Wait),
            || queue(WhenFull::DropOldest),
        )
    }),
    ("tokio::broadcast", 1_000_000, channel),
];

/// Prints us by event, the middle of three runs.
pub(crate) fn run() {
    println!(
        "{:<8} {:<18} {:>12} {:>12}",
        "runtime", "", "us by event", "missed"
    );
    for label in RUNTIMES {
        let runtime = runtime(label);
        for (name, events, run) in CONTENDERS {
            let mut runs = [(); 3].map(|()| run(&runtime, events));
            runs.sort_by_key(|run| run.time);
            let [_, Run { time, missed }, _] = runs;
            let micros = time.as_secs_f64() * 1e6 / events as f64;
            println!("{label:<8} {name:<18} {micros:>12.3} {missed:>12}");
        }
    }
    println!("\nof seven subscribers beside one that takes 1 ms an event; missed by the seven");
}

/// Counts those that have seen the last event.
#[derive(Clone)]
struct Finish {
    last: u64,
    done: Arc<Semaphore>,
}

impl Finish {
    fn of(events: u64) -> Self {
        Self {
            last: events - 1,
            done: Arc::new(Semaphore::new(0)),
        }
    }

    fn see(&self, event: u64) {
        if event == self.last {
            self.done.add_permits(1);
        }
    }

    async fn all(&self) {
        let permits = self.done.acquire_many(OTHERS).await;
        permits.expect("the semaphore stays open").forget();
    }
}

fn ours<D>(
    runtime: &Runtime,
    events: u64,
    dispatcher: D,
    quick: impl Fn() -> D::Route,
    slow: impl Fn() -> D::Route,
) -> Run
where
    D: stages::dispatcher::Dispatcher<Event = u64> + 'static,
    D::Route: Send,
{
    runtime.block_on(async {
        let pipeline = Pipeline::new();
        let finish = Finish::of(events);
        let numbers = from_iter(0..events).stage().dispatcher(dispatcher);
        let numbers = numbers.gate(Gate::Closed).in_group(&pipeline).spawn();
        let mut others = Vec::new();
        for _ in 0..OTHERS {
            let finish = finish.clone();
            let other = for_each(move |n: u64| finish.see(n)).stage();
            let other = other.subscribe_to(numbers.route(quick()));
            others.push(other.in_group(&pipeline).spawn());
        }
        for_each_async(async |_: u64| sleep(SLOW).await)
            .stage()
            .subscribe_to(numbers.route(slow()).max_demand(10))
            .in_group(&pipeline)
            .spawn();
        let start = Instant::now();
        numbers.set_gate(Gate::Open);
        finish.all().await;
        let time = start.elapsed();
        let _ended = pipeline.shutdown().await;
        let seen: u64 = others.iter().map(|other| other.stats().events_in).sum();
        Run {
            time,
            missed: u64::from(OTHERS) * events - seen,
        }
    })
}

fn channel(runtime: &Runtime, events: u64) -> Run {
    runtime.block_on(async {
        let (sender, mut slow) = broadcast::channel(BEHIND);
        let (finish, missed) = (Finish::of(events), Arc::new(AtomicU64::new(0)));
        for _ in 0..OTHERS {
            let (mut quick, finish) = (sender.subscribe(), finish.clone());
            let missed = Arc::clone(&missed);
            tokio::spawn(async move {
                loop {
                    match quick.recv().await {
                        Ok(event) => finish.see(event),
                        Err(RecvError::Lagged(count)) => {
                            missed.fetch_add(count, Ordering::Relaxed);
                        }
                        Err(RecvError::Closed) => return,
                    }
                }
            });
        }
        let slow = tokio::spawn(async move {
            while !matches!(slow.recv().await, Err(RecvError::Closed)) {
                sleep(SLOW).await;
            }
        });
        let start = Instant::now();
        for n in 0..events {
            sender.send(n).expect("the receivers are there");
            if n % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
        finish.all().await;
        let time = start.elapsed();
        slow.abort();
        Run {
            time,
            missed: missed.load(Ordering::Relaxed),
        }
    })
}
