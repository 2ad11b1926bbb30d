//! Reference: pika/pika issues 93 and 1079, heartbeats and a slow consumer; amqp-rs/lapin
//! issues 125 and 283; rabbitmq/rabbitmq-stream-rust-client issue 286; akka/akka-core issue
//! 28993, "Source.keepAlive stops producing messages arbitrarily"; elixir-lang/gen_stage issue
//! 23, "callback timeouts can get lost if consumer/producer message arrives"
//!
//! A stage beats while its neighbours are slow, and whatever else it is told meanwhile. A
//! source whose server has gone silent says so, and is connected again.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::support::*;
use crate::common::cancelled;
use stage_runtime::prelude::*;
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A server that a source is connected to: it has messages, and answers beats.
#[derive(Default)]
struct Server {
    connections: AtomicU64,
    next: AtomicU64,
    /// When it was last heard of; `None` for a server that is gone.
    answers: Mutex<bool>,
    beats: Mutex<Vec<Duration>>,
}

/// Beats every 10 s; its server is gone when two beats in a row are not answered.
struct Connected {
    server: Arc<Server>,
    since: Instant,
    missed: usize,
    fails: bool,
}

impl Connected {
    fn new(server: &Arc<Server>, since: Instant, fails: bool) -> Self {
        Self {
            server: Arc::clone(server),
            since,
            missed: 0,
            fails,
        }
    }
}

impl Producer for Connected {
    type Event = u64;

    async fn handle_start(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        sleep(5 * MS).await;
        self.server.connections.fetch_add(1, SeqCst);
        *self.server.answers.lock().unwrap() = true;
        out.wake_after(10 * SECOND);
        Ok(())
    }

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        let from = self.server.next.fetch_add(demand as u64, SeqCst);
        out.extend(from..from + demand as u64);
        Ok(())
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        let elapsed = self.since.elapsed();
        self.server.beats.lock().unwrap().push(elapsed);
        if *self.server.answers.lock().unwrap() {
            self.missed = 0;
        } else {
            self.missed += 1;
        }
        out.wake_after(10 * SECOND);
        match (self.missed, self.fails) {
            (2, true) => return Err("missed two beats".into()),
            (2, false) => out.stop("missed two beats"),
            _ => {}
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_beats_while_its_consumer_is_slow_and_others_come_and_go() {
    let (server, start) = (Arc::new(Server::default()), Instant::now());
    let source = Connected::new(&server, start, true).stage().spawn();
    // Each of its batches takes 500 s.
    let seen = seen();
    let hundred = source.subscription().max_demand(100).min_demand(0);
    let sink = slow(&seen, 5_000).stage().subscribe_to(hundred).spawn();
    // Asks, cancellations and requests arrive, more often than it beats.
    for _ in 0..200 {
        sleep(1_700 * MS).await;
        let once = source.subscription().max_demand(1).min_demand(0);
        let passing = slow(&super::support::seen(), 300).stage();
        let passing = passing.subscribe_to(once).spawn();
        sleep(MS).await;
        source.set_gate(Gate::Closed);
        source.set_gate(Gate::Open);
        passing.stop("passes");
    }
    let beats = server.beats.lock().unwrap().clone();
    let expected = (1..=beats.len()).map(|n| 5 * MS + 10 * SECOND * n as u32);
    assert_eq!(beats, expected.collect::<Vec<_>>());
    assert_eq!(beats.len(), 34);
    sink.stop("enough");
}

#[tokio::test(start_paused = true)]
async fn a_source_whose_server_is_silent_ends_though_its_consumer_is_busy() {
    let (server, start) = (Arc::new(Server::default()), Instant::now());
    let source = Connected::new(&server, start, false)
        .stage()
        .name("connected");
    let source = source.spawn();
    let seen = seen();
    let four = source.subscription().max_demand(4).min_demand(0);
    // Busy for 400 s.
    let sink = slow(&seen, 100_000).stage().subscribe_to(four).spawn();
    sleep(SECOND).await;
    *server.answers.lock().unwrap() = false;
    let outcome = within(30_000, source.outcome()).await.expect("20 s");
    assert_eq!(outcome.to_string(), "cancelled: missed two beats");
    assert_eq!(start.elapsed(), 20 * SECOND + 5 * MS);
    // What had arrived is handled before the end is heard of.
    assert_eq!(cancelled(sink.join().await), "missed two beats");
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_source_whose_server_is_silent_connects_again_and_keeps_its_consumers() {
    let (server, start) = (Arc::new(Server::default()), Instant::now());
    let its = Arc::clone(&server);
    let restart = Restart::on_failure().backoff(Duration::ZERO, Duration::ZERO);
    let source = supervised(move || Connected::new(&its, start, true));
    let source = source.restart(restart).stage().spawn();
    let seen = seen();
    let two = source.subscription().max_demand(2).min_demand(0);
    let sink = slow(&seen, 3_000).stage().subscribe_to(two).spawn();
    sleep(SECOND).await;
    *server.answers.lock().unwrap() = false;
    sleep(60 * SECOND).await;
    assert_eq!(server.connections.load(SeqCst), 2);
    assert_eq!(source.stats().restarts, 1);
    // The second beat without an answer fails it; the next state's timer begins anew.
    let beats = server.beats.lock().unwrap().clone();
    let after = |seconds: u32, ms: u32| seconds * SECOND + ms * MS;
    let expected = [
        after(10, 5),
        after(20, 5),
        after(30, 10),
        after(40, 10),
        after(50, 10),
        after(60, 10),
    ];
    assert_eq!(beats, expected);
    let seen = seen.lock().unwrap().clone();
    assert!(seen.len() >= 19, "the consumer went on: {seen:?}");
    assert!(seen.iter().copied().eq(0..seen.len() as u64));
    sink.stop("enough");
}

/// Passes events on, and emits `None` after a second without any.
struct KeepAlive;

impl ProducerConsumer for KeepAlive {
    type In = u64;
    type Out = Option<u64>;

    async fn handle_start(&mut self, out: &mut Emitter<'_, Option<u64>>) -> StageResult {
        out.wake_after(SECOND);
        Ok(())
    }

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        out: &mut Emitter<'_, Option<u64>>,
    ) -> StageResult {
        out.extend(events.into_iter().map(Some));
        out.wake_after(SECOND);
        Ok(())
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, Option<u64>>) -> StageResult {
        out.push(None);
        out.wake_after(SECOND);
        Ok(())
    }
}

/// When each event came.
struct Times(Instant, Vec<(Duration, Option<u64>)>);

impl Consumer for Times {
    type Event = Option<u64>;

    async fn handle_events(
        &mut self,
        events: &mut Batch<Option<u64>>,
        _: &mut Context<'_>,
    ) -> StageResult {
        let elapsed = self.0.elapsed();
        self.1
            .extend(events.into_iter().map(|event| (elapsed, event)));
        Ok(())
    }
}

/// A line that is idle is kept alive, to the millisecond, whatever the pauses were.
#[tokio::test(start_paused = true)]
async fn a_line_that_is_idle_is_kept_alive() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let start = Instant::now();
        let (sender, receiver) = tokio::sync::mpsc::channel(8);
        let events = stage_runtime::operators::from_channel(receiver);
        let events = events.stage().spawn();
        let alive = KeepAlive.stage().subscribe_to(&events).spawn();
        let times = Times(start, Vec::new()).stage();
        let times = times.subscribe_to(&alive).spawn();
        let mut expected = Vec::new();
        let (mut now, mut ping) = (Duration::ZERO, SECOND);
        for n in 0..60 {
            // Never a whole second: of two at once, either may come first.
            let pause = random.u64(1..3_500);
            let pause = Duration::from_millis(pause + u64::from(pause.is_multiple_of(1_000)));
            sleep(pause).await;
            now += pause;
            while ping < now {
                expected.push((ping, None));
                ping += SECOND;
            }
            sender.send(n).await.unwrap();
            expected.push((now, Some(n)));
            ping = now + SECOND;
        }
        drop(sender);
        let state = within(10_000, times.join_stage()).await.unwrap().unwrap();
        assert_eq!(state.1, expected, "seed {seed}");
    }
}
