//! What the programs share: how they are run, and small stages.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use stage_runtime::prelude::*;
use tokio::runtime::Builder;

use crate::common::quiet;

/// Rounds of a case that races; `STAGES_ROUNDS` multiplies them.
pub(crate) fn rounds(count: usize) -> usize {
    let times = std::env::var("STAGES_ROUNDS").ok();
    count * times.and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// Runs `case` on both kinds of runtime, the single-threaded one with paused
/// time. A case that takes longer than `seconds` fails, also where it blocks
/// its thread.
pub(crate) fn both<F, T>(seconds: u64, case: F)
where
    F: Fn() -> T + Send + Sync + 'static,
    T: Future<Output = ()>,
{
    let case = Arc::new(case);
    run(
        seconds,
        Builder::new_current_thread().start_paused(true),
        &case,
    );
    run(
        seconds,
        Builder::new_multi_thread().worker_threads(2),
        &case,
    );
}

/// The same for a pipeline that never rests: paused time would stand still.
pub(crate) fn both_busy<F, T>(seconds: u64, case: F)
where
    F: Fn() -> T + Send + Sync + 'static,
    T: Future<Output = ()>,
{
    let case = Arc::new(case);
    run(seconds, &mut Builder::new_current_thread(), &case);
    run(
        seconds,
        Builder::new_multi_thread().worker_threads(2),
        &case,
    );
}

fn run<F, T>(seconds: u64, builder: &mut Builder, case: &Arc<F>)
where
    F: Fn() -> T + Send + Sync + 'static,
    T: Future<Output = ()>,
{
    quiet();
    let runtime = builder.enable_all().build().unwrap();
    let kind = runtime.handle().runtime_flavor();
    let case = Arc::clone(case);
    let (done, wait) = channel();
    // A thread of its own: one that is blocked can be left behind.
    let thread = thread::spawn(move || {
        runtime.block_on(case());
        runtime.shutdown_background();
        let _ = done.send(());
    });
    match wait.recv_timeout(Duration::from_secs(seconds)) {
        Err(RecvTimeoutError::Timeout) => panic!("{kind:?}: not done after {seconds} s"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// Lets others go on for so long.
pub(crate) async fn ms(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Waits until `what` holds, for at most five seconds.
pub(crate) async fn until(why: &str, mut what: impl FnMut() -> bool) {
    for _ in 0..5000 {
        if what() {
            return;
        }
        ms(1).await;
    }
    panic!("not within 5 s: {why}");
}

/// Awaits `future` for at most so long; `None` if it is not ready by then.
pub(crate) async fn within<T>(millis: u64, future: impl Future<Output = T>) -> Option<T> {
    let limit = Duration::from_millis(millis);
    tokio::time::timeout(limit, future).await.ok()
}

/// Keeps all events in the order in which they came, for `join_stage`.
pub(crate) struct All<E>(pub(crate) Vec<E>);

impl<E: Send + 'static> Consumer for All<E> {
    type Event = E;

    async fn handle_events(&mut self, events: &mut Batch<E>, _cx: &mut Context<'_>) -> StageResult {
        self.0.extend(events);
        Ok(())
    }
}

pub(crate) fn all<E>() -> All<E> {
    All(Vec::new())
}

/// A list that a stage writes and the test reads.
pub(crate) type Seen<E> = Arc<Mutex<Vec<E>>>;

pub(crate) fn seen<E>() -> Seen<E> {
    Seen::default()
}

/// A consumer that keeps what it sees, and takes so long for each event.
pub(crate) struct Slow<E> {
    seen: Seen<E>,
    each: Duration,
}

impl<E: Send + 'static> Consumer for Slow<E> {
    type Event = E;

    async fn handle_events(&mut self, events: &mut Batch<E>, _cx: &mut Context<'_>) -> StageResult {
        for event in events {
            if !self.each.is_zero() {
                tokio::time::sleep(self.each).await;
            }
            self.seen.lock().unwrap().push(event);
        }
        Ok(())
    }
}

pub(crate) fn slow<E>(seen: &Seen<E>, millis: u64) -> Slow<E> {
    Slow {
        seen: Arc::clone(seen),
        each: Duration::from_millis(millis),
    }
}

/// A producer of 0, 1, 2 … that says how many it has made.
pub(crate) struct Count {
    next: u64,
    end: u64,
    pub(crate) made: Arc<AtomicU64>,
}

pub(crate) fn count(end: u64) -> Count {
    Count {
        next: 0,
        end,
        made: Arc::default(),
    }
}

impl Producer for Count {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        let to = self.end.min(self.next.saturating_add(demand as u64));
        out.extend(self.next..to);
        self.made.fetch_add(to - self.next, SeqCst);
        self.next = to;
        if self.next == self.end {
            out.complete();
        }
        Ok(())
    }
}
