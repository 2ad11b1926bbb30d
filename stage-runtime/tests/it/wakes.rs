//! Calls that demand does not cause: wakers, and the timer of a stage's own.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::common::{pending, soon};
use parking_lot::Mutex;
use stage_runtime::operators::{for_each, from_iter};
use stage_runtime::prelude::*;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

/// When `handle_wake` was called, in milliseconds since the start.
#[derive(Clone)]
struct Times(Arc<Mutex<Vec<u128>>>, Instant);

impl Times {
    fn new() -> Self {
        Self(Arc::default(), Instant::now())
    }

    fn note(&self) {
        self.0.lock().push(self.1.elapsed().as_millis());
    }

    fn all(&self) -> Vec<u128> {
        self.0.lock().clone()
    }
}

/// Emits a hundred events that nobody has asked for, and beats every 10 ms.
struct Beats(Times);

impl Producer for Beats {
    type Event = u64;

    async fn handle_start(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        out.extend(0..100);
        out.wake_after(10 * MS);
        Ok(())
    }

    async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, u64>) -> StageResult {
        Ok(())
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        self.0.note();
        out.wake_after(10 * MS);
        Ok(())
    }
}

/// Measured with `info_after`: the info was due at 70 ms and came at 970, behind the
/// buffered output.
#[tokio::test(start_paused = true)]
async fn a_heartbeat_does_not_wait_behind_the_buffer() {
    let times = Times::new();
    let source = Beats(times.clone()).stage().spawn();
    // Its consumer takes a second for each event.
    let (_probe, mut below) = {
        let (probe, calls) = ConsumerProbe::<u64>::new();
        let one = source.subscription().max_demand(1).min_demand(0);
        (probe.stage().subscribe_to(one).spawn(), calls)
    };
    below.events().await;
    tokio::time::sleep(65 * MS).await;
    assert_eq!(times.all(), [10, 20, 30, 40, 50, 60]);
    source.stop("enough");
}

/// Before, a source that nobody asks was woken once, and not called.
#[tokio::test(start_paused = true)]
async fn a_waker_calls_a_producer_that_nobody_has_asked() {
    struct Woken(Times, Arc<Mutex<Option<Waker>>>);
    impl Producer for Woken {
        type Event = u64;
        async fn handle_start(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
            *self.1.lock() = Some(out.waker().clone());
            Ok(())
        }
        async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, u64>) -> StageResult {
            Ok(())
        }
        async fn handle_wake(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
            self.0.note();
            out.push(7);
            Ok(())
        }
    }
    let (times, waker) = (Times::new(), Arc::new(Mutex::new(None)));
    let source = Woken(times.clone(), Arc::clone(&waker)).stage().spawn();
    tokio::time::sleep(5 * MS).await;
    waker.lock().as_ref().unwrap().wake_by_ref();
    tokio::time::sleep(5 * MS).await;
    assert_eq!(times.all(), [5]);
    // What it emitted is in its buffer.
    let (probe, mut below) = ConsumerProbe::<u64>::new();
    let sink = probe.stage().subscribe_to(&source).spawn();
    assert_eq!(below.events().await, [7]);
    waker.lock().as_ref().unwrap().wake_by_ref();
    assert_eq!(below.events().await, [7]);
    sink.stop("enough");
}

/// A stage that sets its timer when it gets a message.
struct Sets(Times);

/// Sets the timer, or takes it back.
struct Set(Option<Duration>);

impl Consumer for Sets {
    type Event = u64;

    async fn handle_events(&mut self, events: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
        for n in events {
            tokio::time::sleep(n as u32 * MS).await;
        }
        Ok(())
    }

    async fn handle_wake(&mut self, _: &mut Context<'_>) -> StageResult {
        self.0.note();
        Ok(())
    }
}

impl Handler<Set> for Sets {
    type Reply = ();

    async fn handle(&mut self, set: Set, out: &mut Emitter<'_>) -> StageResult {
        match set.0 {
            Some(delay) => out.wake_after(delay),
            None => out.cancel_wake(),
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_word_on_the_timer_counts() {
    let times = Times::new();
    let stage = Sets(times.clone()).stage().spawn();
    let set = |delay: Option<u32>| stage.call(Set(delay.map(|delay| delay * MS)));
    // Put off, then brought forward, then taken back, then set again.
    for delay in [Some(10), Some(30), Some(20), None, Some(5)] {
        soon(set(delay)).await.unwrap();
    }
    tokio::time::sleep(100 * MS).await;
    assert_eq!(times.all(), [5]);
    soon(set(Some(10))).await.unwrap();
    tokio::time::sleep(5 * MS).await;
    soon(set(Some(10))).await.unwrap();
    tokio::time::sleep(100 * MS).await;
    assert_eq!(times.all(), [5, 115]);
    soon(set(Some(10))).await.unwrap();
    soon(set(None)).await.unwrap();
    tokio::time::sleep(100 * MS).await;
    assert_eq!(times.all(), [5, 115]);
    soon(set(Some(0))).await.unwrap();
    tokio::time::sleep(MS).await;
    assert_eq!(times.all().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_timer_does_not_wait_behind_input() {
    let times = Times::new();
    let source = from_iter([20u64; 10]).stage().gate(Gate::Closed).spawn();
    let one = source.subscription().max_demand(2).min_demand(1);
    let stage = Sets(times.clone()).stage().subscribe_to(one).spawn();
    soon(stage.call(Set(Some(30 * MS)))).await.unwrap();
    source.set_gate(Gate::Open);
    soon(stage.join()).await.unwrap();
    // It is called between two events, of 20 ms each.
    assert_eq!(times.all(), [40]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_removes_the_timer_and_calls_handle_start_again() {
    struct Shaky(Times, Arc<Mutex<usize>>);
    impl Producer for Shaky {
        type Event = u64;
        async fn handle_start(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
            let mut starts = self.1.lock();
            *starts += 1;
            match *starts {
                1 => out.wake_after(10 * MS),
                // The connection fails, too.
                2 | 3 => return Err("no connection".into()),
                _ => out.wake_after(50 * MS),
            }
            Ok(())
        }
        async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, u64>) -> StageResult {
            match *self.1.lock() {
                1 => Err("connection lost".into()),
                _ => Ok(()),
            }
        }
        async fn handle_wake(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
            self.0.note();
            out.complete();
            Ok(())
        }
    }
    let (times, starts) = (Times::new(), Arc::new(Mutex::new(0)));
    let make = {
        let (times, starts) = (times.clone(), Arc::clone(&starts));
        move || Shaky(times.clone(), Arc::clone(&starts))
    };
    let restart = Restart::on_failure().backoff(Duration::ZERO, Duration::ZERO);
    let source = supervised(make).restart(restart).stage().spawn();
    let sink = for_each(|_: u64| ()).stage().subscribe_to(&source).spawn();
    soon(sink.join()).await.unwrap();
    assert_eq!(*starts.lock(), 4);
    assert_eq!(times.all(), [50]);
}

/// `handle_start` comes before every other handler, also of a stage that is
/// subscribed at once; a failure of it fails the stage.
#[tokio::test(start_paused = true)]
async fn handle_start_comes_first() {
    struct Starts(Vec<&'static str>);
    impl Consumer for Starts {
        type Event = u64;
        async fn handle_start(&mut self, _: &mut Context<'_>) -> StageResult {
            tokio::time::sleep(10 * MS).await;
            self.0.push("start");
            Ok(())
        }
        async fn handle_subscribe(
            &mut self,
            _: &Peer,
            _: &mut Context<'_>,
        ) -> StageResult<DemandMode> {
            self.0.push("subscribe");
            Ok(DemandMode::Automatic)
        }
        async fn handle_events(&mut self, _: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
            self.0.push("events");
            Ok(())
        }
    }
    let source = from_iter(0..1u64).stage().spawn();
    let stage = Starts(Vec::new()).stage().subscribe_to(&source).spawn();
    let state = soon(stage.join_stage()).await.unwrap();
    assert_eq!(state.0, ["start", "subscribe", "events"]);

    struct Fails;
    impl Producer for Fails {
        type Event = u64;
        async fn handle_start(&mut self, _: &mut Emitter<'_, u64>) -> StageResult {
            Err("no such host".into())
        }
        async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, u64>) -> StageResult {
            panic!("it has not started")
        }
    }
    let source = Fails.stage().name("feed").spawn();
    let sink = for_each(|_: u64| ()).stage().subscribe_to(&source).spawn();
    let failure = crate::common::failure(soon(sink.join()).await);
    assert_eq!(failure.to_string(), "stage `feed` failed: no such host");
}

/// A timer of a relay comes while its consumers ask for nothing and input waits.
#[tokio::test(start_paused = true)]
async fn the_timer_of_a_relay_does_not_wait_for_demand() {
    struct Relay(Times);
    impl ProducerConsumer for Relay {
        type In = u64;
        type Out = u64;
        async fn handle_start(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
            out.wake_after(10 * MS);
            Ok(())
        }
        async fn handle_events(
            &mut self,
            events: &mut Batch<u64>,
            out: &mut Emitter<'_, u64>,
        ) -> StageResult {
            out.extend(events);
            Ok(())
        }
        async fn handle_wake(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
            self.0.note();
            out.push(99);
            Ok(())
        }
    }
    let times = Times::new();
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let relay = Relay(times.clone()).stage().subscribe_to(&source).spawn();
    above.demand().await;
    soon(source.call(emit([1]))).await.unwrap();
    pending(relay.outcome()).await;
    assert_eq!(times.all(), [10]);
    let (probe, mut below) = ConsumerProbe::<u64>::new();
    let _sink = probe.stage().subscribe_to(&relay).spawn();
    // What it emitted out of band waits in its buffer, and came first.
    assert_eq!(below.gather(2).await, [99, 1]);
}
