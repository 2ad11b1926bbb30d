//! W7: what do ten thousand small pipelines cost, in time and in memory?
//!
//! A pair is a producer of 100 events and a consumer that sums them. All pairs
//! are alive at the same time: none ends before the last has had its events.
//! The figure is the time by event, from the first spawn to the last end, and
//! the memory that a pair holds while it is alive. Memory is measured in a
//! process of its own for each contender, since a process does not give back
//! all that it has used.

use std::pin::pin;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{Duration, Instant};

use stages::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc};

use crate::measure::{Contender, Events, Workload, runtime};
use crate::peers::chain::expected;
use crate::report::{Memory, Row};

const PAIRS: u64 = 10_000;
const EACH: u64 = 100;

pub(crate) const WORKLOAD: Workload = Workload {
    name: "W7",
    hops: 1,
    batch: EACH as u32,
    events: Events::Fixed(PAIRS * EACH),
    ours: Some(OURS),
    peers: &PEERS,
};

const OURS: Contender = ("stages", |r, n| ours(r, n, &|| {}));
const PEERS: [Contender; 2] = [
    ("vec100-mpsc", |r, n| vec_mpsc(r, n, &|| {})),
    ("item-mpsc", |r, n| item_mpsc(r, n, &|| {})),
];

/// Measures memory as well.
pub(crate) fn add_memory(rows: &mut [Row]) {
    for row in rows {
        row.memory = memory_in_child(row.runtime, "stages")
            .zip(memory_in_child(row.runtime, row.peer))
            .map(|(ours, theirs)| Memory { ours, theirs });
    }
}

/// Calls `self` again with the hidden command `memory`. `None` where the
/// system does not tell how much memory a process has.
fn memory_in_child(runtime: &str, contender: &str) -> Option<u64> {
    let program = std::env::current_exe().ok()?;
    let output = Command::new(program)
        .args(["memory", runtime, contender])
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Bytes of memory that a pair holds, with all pairs alive.
pub(crate) fn memory(label: &str, contender: &str) -> Option<u64> {
    let runtime = runtime(label);
    // What the runtime itself takes is not the pairs'.
    runtime
        .block_on(async { tokio::spawn(async {}).await })
        .expect("the task does not panic");
    let before = resident()?;
    let after = AtomicU64::new(0);
    let look = || after.store(resident().unwrap_or(0), Ordering::Relaxed);
    match contender {
        "stages" => ours(&runtime, PAIRS * EACH, &look),
        "vec100-mpsc" => vec_mpsc(&runtime, PAIRS * EACH, &look),
        _ => item_mpsc(&runtime, PAIRS * EACH, &look),
    };
    Some(after.into_inner().checked_sub(before)? / PAIRS)
}

/// Bytes of memory that this process has in use.
pub(crate) fn resident() -> Option<u64> {
    /// Of Linux on the machines this runs on.
    const PAGE: u64 = 4096;
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split_whitespace().nth(1)?.parse::<u64>().ok()? * PAGE)
}

/// What holds all pairs alive until the last has had its events.
struct Round {
    events: u64,
    handled: AtomicU64,
    sum: AtomicU64,
    all_handled: Notify,
    over: AtomicBool,
    /// Our producers that wait for the end.
    waiting: Mutex<Vec<Waker>>,
    /// Producers of the peers wait here.
    end: Notify,
}

impl Round {
    fn new(events: u64) -> Arc<Self> {
        Arc::new(Self {
            events,
            handled: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            all_handled: Notify::new(),
            over: AtomicBool::new(false),
            waiting: Mutex::default(),
            end: Notify::new(),
        })
    }

    fn handled(&self, events: u64, sum: u64) {
        self.sum.fetch_add(sum, Ordering::Relaxed);
        let before = self.handled.fetch_add(events, Ordering::AcqRel);
        if before + events == self.events {
            self.all_handled.notify_one();
        }
    }

    async fn finish(&self, look: &dyn Fn()) {
        self.all_handled.notified().await;
        assert_eq!(
            self.sum.load(Ordering::Relaxed),
            self.events / EACH * expected(EACH, 0)
        );
        look();
        self.over.store(true, Ordering::Release);
        self.end.notify_waiters();
        let waiting = std::mem::take(&mut *self.waiting.lock().expect("nobody panics with it"));
        waiting.into_iter().for_each(Waker::wake);
    }

    async fn wait_for_end(&self) {
        let mut end = pin!(self.end.notified());
        end.as_mut().enable();
        if !self.over.load(Ordering::Acquire) {
            end.await;
        }
    }
}

struct Source {
    next: u64,
    round: Arc<Round>,
}

impl Producer for Source {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        let end = EACH.min(self.next + demand as u64);
        out.extend(self.next..end);
        self.next = end;
        if end == EACH {
            let mut waiting = self.round.waiting.lock().expect("nobody panics with it");
            if self.round.over.load(Ordering::Acquire) {
                out.complete();
            } else {
                // Called again with the demand that is left.
                waiting.push(out.waker().clone());
            }
        }
        Ok(())
    }
}

struct Sum(Arc<Round>);

impl Consumer for Sum {
    type Event = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        self.0.handled(events.len() as u64, events.iter().sum());
        Ok(())
    }
}

fn ours(runtime: &Runtime, events: u64, look: &dyn Fn()) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let round = Round::new(events);
        let consumers: Vec<_> = (0..events / EACH)
            .map(|_| {
                let source = Source {
                    next: 0,
                    round: Arc::clone(&round),
                };
                let source = source.stage().spawn();
                Sum(Arc::clone(&round))
                    .stage()
                    .subscribe_to(&source)
                    .spawn()
            })
            .collect();
        round.finish(look).await;
        for consumer in consumers {
            consumer.join().await.expect("the pipeline completes");
        }
        started.elapsed()
    })
}

fn vec_mpsc(runtime: &Runtime, events: u64, look: &dyn Fn()) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let round = Round::new(events);
        let consumers: Vec<_> = (0..events / EACH)
            .map(|_| {
                let (sender, mut receiver) = mpsc::channel::<Vec<u64>>(1);
                let (source, sum) = (Arc::clone(&round), Arc::clone(&round));
                tokio::spawn(async move {
                    if sender.send((0..EACH).collect()).await.is_ok() {
                        source.wait_for_end().await;
                    }
                });
                tokio::spawn(async move {
                    while let Some(batch) = receiver.recv().await {
                        sum.handled(batch.len() as u64, batch.iter().sum());
                    }
                })
            })
            .collect();
        round.finish(look).await;
        for consumer in consumers {
            consumer.await.expect("the task does not panic");
        }
        started.elapsed()
    })
}

fn item_mpsc(runtime: &Runtime, events: u64, look: &dyn Fn()) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let round = Round::new(events);
        let consumers: Vec<_> = (0..events / EACH)
            .map(|_| {
                let (sender, mut receiver) = mpsc::channel::<u64>(EACH as usize);
                let (source, sum) = (Arc::clone(&round), Arc::clone(&round));
                tokio::spawn(async move {
                    for n in 0..EACH {
                        if sender.send(n).await.is_err() {
                            return;
                        }
                    }
                    source.wait_for_end().await;
                });
                tokio::spawn(async move {
                    while let Some(n) = receiver.recv().await {
                        sum.handled(1, n);
                    }
                })
            })
            .collect();
        round.finish(look).await;
        for consumer in consumers {
            consumer.await.expect("the task does not panic");
        }
        started.elapsed()
    })
}
