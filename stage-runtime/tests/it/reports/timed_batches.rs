//! Reference: JasperFx/jasperfx pull request 533, "batch timeout is a max-age, not a
//! quiet-period debounce"; reactor/reactor issue 358, "Stream should not be flushed prematurely
//! when using timeout()"; ai-dynamo/dynamo pull request 1195, a timer that had run out before
//! the first event; wellle/rmq pull request 18 and akka/akka-core pull request 20235, the last
//! batch
//!
//! A sink gathers events and writes them when it has enough, or when the first of them has
//! waited long enough: not later, not earlier, and nothing empty; also after a restart. It ends
//! when its last write is done.

use std::time::Duration;

use super::support::*;
use stage_runtime::operators::{chunks_timeout, from_channel};
use stage_runtime::prelude::*;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);
const AFTER: u64 = 250;
const MAX: usize = 5;
/// A state fails at this.
const POISON: u64 = 1_000;

/// When each batch was written, in milliseconds, and its events.
type Written = Vec<(u128, Vec<u64>)>;

/// Writes events in batches. A write takes a while, in a task of its own.
struct Writer {
    start: Instant,
    written: Seen<(u128, Vec<u64>)>,
    open: Vec<u64>,
    takes: Duration,
    writing: Vec<tokio::task::JoinHandle<()>>,
}

impl Writer {
    fn new(start: Instant, written: &Seen<(u128, Vec<u64>)>, takes: Duration) -> Self {
        Self {
            start,
            written: written.clone(),
            open: Vec::new(),
            takes,
            writing: Vec::new(),
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) {
        let batch = std::mem::take(&mut self.open);
        let at = self.start.elapsed().as_millis();
        self.written.lock().unwrap().push((at, batch));
        let (takes, waker) = (self.takes, cx.waker().clone());
        if !takes.is_zero() {
            self.writing.push(tokio::spawn(async move {
                sleep(takes).await;
                waker.wake();
            }));
        }
    }
}

impl Consumer for Writer {
    type Event = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        cx: &mut Context<'_>,
    ) -> StageResult {
        for event in events {
            if event == POISON {
                return Err("poison".into());
            }
            if self.open.is_empty() {
                cx.wake_after(AFTER as u32 * MS);
            }
            self.open.push(event);
            if self.open.len() == MAX {
                self.write(cx);
                cx.cancel_wake();
            }
        }
        Ok(())
    }

    async fn handle_wake(&mut self, cx: &mut Context<'_>) -> StageResult {
        // Either the time of the batch is up, or a write is done.
        self.writing.retain(|write| !write.is_finished());
        let is_open = !self.open.is_empty();
        if self.takes.is_zero() {
            assert!(is_open, "woken for an empty batch");
        }
        if is_open && self.takes.is_zero() {
            self.write(cx);
        }
        Ok(())
    }

    /// Whatever is open when a producer has ended need not wait for its time.
    async fn handle_cancel(&mut self, _: &Peer, _: &Outcome, cx: &mut Context<'_>) -> StageResult {
        if !self.open.is_empty() {
            self.write(cx);
            cx.cancel_wake();
        }
        Ok(())
    }

    fn may_complete(&self) -> bool {
        self.writing
            .iter()
            .all(tokio::task::JoinHandle::is_finished)
    }

    fn held(&self) -> usize {
        self.open.len()
    }
}

/// What is to be written of events that arrive after these pauses, in milliseconds.
fn expected(pauses: &[u64]) -> Written {
    let (mut written, mut open) = (Written::new(), Vec::new());
    let (mut now, mut due) = (0, u64::MAX);
    for (n, pause) in pauses.iter().enumerate() {
        now += pause;
        if due < now {
            written.push((due.into(), std::mem::take(&mut open)));
        }
        if open.is_empty() {
            due = now + AFTER;
        }
        open.push(n as u64);
        if open.len() == MAX {
            written.push((now.into(), std::mem::take(&mut open)));
        }
        if open.is_empty() {
            due = u64::MAX;
        }
    }
    if !open.is_empty() {
        written.push((now.into(), open));
    }
    written
}

/// Pauses of which no sum is the time limit: of two things at once, either may be first.
fn pauses(random: &mut fastrand::Rng) -> Vec<u64> {
    let longest = [20, 100, 600][random.usize(0..3)];
    let mut pauses: Vec<u64> = (0..60).map(|_| 1 + 2 * random.u64(0..longest)).collect();
    // The time of the first event of any batch is odd or even, and so is each pause: keep
    // away from the limit itself.
    for at in 0..pauses.len() {
        let mut sum = 0;
        for back in (0..at).rev() {
            sum += pauses[back + 1];
            if sum == AFTER {
                pauses[at] += 1;
                break;
            }
        }
    }
    pauses
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_written_when_it_is_full_or_when_its_first_event_is_old_enough() {
    // A steady trickle, faster than the limit: each event would put a quiet period off.
    let mut cases = vec![vec![100; 30], vec![10; 30], vec![249; 10], vec![2_000; 4]];
    let mut random = fastrand::Rng::with_seed(7);
    cases.extend((0..30).map(|_| pauses(&mut random)));
    for pauses in cases {
        let written = seen();
        let start = Instant::now();
        let (sender, receiver) = mpsc::channel(8);
        let (sender_2, receiver_2) = mpsc::channel(8);
        let numbers = from_channel(receiver).stage().spawn();
        let writer = Writer::new(start, &written, Duration::ZERO).stage();
        let writer = writer.subscribe_to(&numbers).spawn();
        // The operator is held to the same.
        let numbers = from_channel(receiver_2).stage().spawn();
        let chunks = chunks_timeout(MAX, AFTER as u32 * MS).stage();
        let chunks = chunks.subscribe_to(&numbers).spawn();
        let times = Times(start, Written::new()).stage();
        let times = times.subscribe_to(&chunks).spawn();
        for (n, pause) in pauses.iter().enumerate() {
            sleep(*pause as u32 * MS).await;
            sender.send(n as u64).await.unwrap();
            sender_2.send(n as u64).await.unwrap();
        }
        drop((sender, sender_2));
        within(1_000, writer.join()).await.unwrap().unwrap();
        let chunks = within(1_000, times.join_stage()).await.unwrap().unwrap();
        let expected = expected(&pauses);
        assert_eq!(*written.lock().unwrap(), expected, "{pauses:?}");
        assert_eq!(chunks.1, expected, "{pauses:?}");
    }
}

struct Times(Instant, Written);

impl Consumer for Times {
    type Event = Vec<u64>;

    async fn handle_events(
        &mut self,
        chunks: &mut Batch<Vec<u64>>,
        _: &mut Context<'_>,
    ) -> StageResult {
        let elapsed = self.0.elapsed().as_millis();
        self.1
            .extend(chunks.into_iter().map(|chunk| (elapsed, chunk)));
        Ok(())
    }
}

/// The timer of the state that failed would write the batch of the next one too early.
#[tokio::test(start_paused = true)]
async fn a_restart_begins_a_batch_with_its_own_time() {
    let written = seen();
    let start = Instant::now();
    let (sender, receiver) = mpsc::channel(8);
    let numbers = from_channel(receiver).stage().spawn();
    let its = written.clone();
    let writer = supervised(move || Writer::new(start, &its, Duration::ZERO));
    let restart = Restart::on_failure().backoff(Duration::ZERO, Duration::ZERO);
    let writer = writer.restart(restart).stage();
    let writer = writer.subscribe_to(&numbers).spawn();
    for (pause, n) in [(0, 1), (100, 2), (50, POISON), (50, 3), (100, 4), (300, 5)] {
        sleep(pause * MS).await;
        sender.send(n).await.unwrap();
    }
    sleep(1_000 * MS).await;
    // 1 and 2 are lost with the state that held them; 3 came at 200 ms.
    let expected = [(450, vec![3, 4]), (850, vec![5])];
    assert_eq!(*written.lock().unwrap(), expected);
    let stats = writer.stats();
    assert_eq!((stats.restarts, stats.lost, stats.held), (1, 3, 0));
    drop(sender);
    within(1_000, writer.join()).await.unwrap().unwrap();
}

/// The source ends in the middle of a batch, and the write of it takes a while.
#[tokio::test(start_paused = true)]
async fn the_last_batch_is_written_before_the_end() {
    for drains in [false, true] {
        let written = seen();
        let start = Instant::now();
        let pipeline = Pipeline::new();
        let (sender, receiver) = mpsc::channel(8);
        let numbers = from_channel(receiver).stage().in_group(&pipeline).spawn();
        let writer = Writer::new(start, &written, 700 * MS).stage();
        let writer = writer.subscribe_to(&numbers).in_group(&pipeline).spawn();
        for n in 0..3 {
            sender.send(n).await.unwrap();
        }
        sleep(10 * MS).await;
        if drains {
            pipeline.drain(5_000 * MS).await.unwrap();
        } else {
            drop(sender);
            within(5_000, pipeline.join()).await.unwrap().unwrap();
        }
        assert_eq!(*written.lock().unwrap(), [(10, vec![0, 1, 2])]);
        assert_eq!(start.elapsed(), 710 * MS, "the write has ended");
        assert_eq!((writer.stats().held, writer.stats().lost), (0, 0));
        stage_test::assert_settled(&pipeline);
    }
}
