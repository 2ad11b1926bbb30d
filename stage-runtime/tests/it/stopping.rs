//! A stage ends itself as cancelled, from any of its handlers.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::common::{cancelled, soon};
use parking_lot::Mutex;
use stage_runtime::operators::{fold, from_iter};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe, act, emit};

/// Before there was `stop`, a source that had buffered events could end only by a
/// failure or through a handle that it does not have.
#[tokio::test(start_paused = true)]
async fn a_source_ends_itself_with_a_reason() {
    let pipeline = Pipeline::new();
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().in_group(&pipeline).spawn();
    let (probe, mut below) = ConsumerProbe::<u64>::new();
    let two = source.subscription().max_demand(2);
    let sink = probe.stage().subscribe_to(two).in_group(&pipeline).spawn();
    above.demand().await;
    let stop = act(|out: &mut Emitter<'_, u64>| {
        out.extend(0..5);
        out.stop("the subscriber is too slow");
        Ok(())
    });
    soon(source.call(stop)).await.unwrap();
    assert_eq!(below.gather(2).await, [0, 1]);
    assert_eq!(
        cancelled(soon(sink.join()).await),
        "the subscriber is too slow"
    );
    assert_eq!(source.stats().discarded, 3);
    assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_ends_itself_hands_the_rest_back() {
    struct Three(u64);
    impl Consumer for Three {
        type Event = u64;
        async fn handle_events(
            &mut self,
            events: &mut Batch<u64>,
            cx: &mut Context<'_>,
        ) -> StageResult {
            self.0 += events.len() as u64;
            if self.0 >= 3 {
                cx.stop("enough");
            }
            Ok(())
        }
    }
    let source = from_iter(0..10u64).stage().spawn();
    let one_by_one = source.subscription().max_demand(5).min_demand(4);
    let three = Three(0).stage().subscribe_to(one_by_one).spawn();
    assert_eq!(soon(three.outcome()).await.to_string(), "cancelled: enough");
    assert_eq!(three.stats().events_in, 3);
    // Events of the call that stopped it count as handled.
    assert_eq!(three.stats().lost, 0);
    let rest = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&source);
    assert_eq!(soon(rest.spawn().output()).await.unwrap(), 42);
}

/// It is not a failure: a supervised stage is not restarted, and its pipeline
/// goes on.
#[tokio::test(start_paused = true)]
async fn a_stage_that_stops_itself_is_not_restarted() {
    struct Stops;
    impl Producer for Stops {
        type Event = u64;
        async fn handle_start(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
            out.stop("nothing to do");
            Ok(())
        }
        async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, u64>) -> StageResult {
            panic!("asked after it has stopped itself")
        }
    }
    let source = supervised(|| Stops)
        .restart(Restart::always())
        .stage()
        .spawn();
    let outcome = soon(source.outcome()).await;
    assert_eq!(outcome.to_string(), "cancelled: nothing to do");
    assert_eq!(source.stats().restarts, 0);
}

/// Notes its calls, and stops in one of them.
struct Noting {
    log: Arc<Mutex<Vec<&'static str>>>,
    stops_in: &'static str,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl Noting {
    fn note(&self, call: &'static str, cx: &mut Context<'_>) {
        self.log.lock().push(call);
        if call == self.stops_in {
            cx.stop("enough");
        }
    }
}

impl ProducerConsumer for Noting {
    type In = u64;
    type Out = u64;

    async fn handle_start(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        *self.waker.lock() = Some(out.waker().clone());
        self.note("start", out.context());
        Ok(())
    }

    async fn handle_producer_subscribe(
        &mut self,
        _: &Peer,
        out: &mut Emitter<'_, u64>,
    ) -> StageResult<DemandMode> {
        self.note("producer joins", out.context());
        Ok(DemandMode::Automatic)
    }

    async fn handle_subscribe(&mut self, _: &Peer, out: &mut Emitter<'_, u64>) -> StageResult {
        self.note("consumer joins", out.context());
        Ok(())
    }

    async fn handle_cancel(
        &mut self,
        _: &Peer,
        _: &Outcome,
        out: &mut Emitter<'_, u64>,
    ) -> StageResult {
        self.note("consumer leaves", out.context());
        Ok(())
    }

    async fn handle_events(
        &mut self,
        _: &mut Batch<u64>,
        out: &mut Emitter<'_, u64>,
    ) -> StageResult {
        self.note("events", out.context());
        Ok(())
    }

    async fn handle_info(&mut self, _: Info, out: &mut Emitter<'_, u64>) -> StageResult {
        self.note("info", out.context());
        Ok(())
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        self.note("wake", out.context());
        Ok(())
    }

    async fn handle_drain(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        self.note("drain", out.context());
        Ok(())
    }

    async fn handle_complete(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        self.note("complete", out.context());
        Ok(())
    }

    async fn terminate(&mut self, _: &Outcome) {
        self.log.lock().push("terminate");
    }
}

/// A message.
struct Note;

impl Handler<Note, u64> for Noting {
    type Reply = ();

    async fn handle(&mut self, _: Note, out: &mut Emitter<'_, u64>) -> StageResult {
        self.note("message", out.context());
        Ok(())
    }
}

/// Whatever else is due when a handler stops its stage, no other handler is called.
#[tokio::test(start_paused = true)]
async fn a_handler_that_stops_its_stage_is_the_last_one() {
    let calls = [
        "start",
        "producer joins",
        "consumer joins",
        "consumer leaves",
        "events",
        "info",
        "message",
        "wake",
        "drain",
        "complete",
    ];
    for stops_in in calls {
        let (log, waker) = (Arc::default(), Arc::<Mutex<Option<Waker>>>::default());
        let noting = Noting {
            log: Arc::clone(&log),
            stops_in,
            waker: Arc::clone(&waker),
        };
        let pipeline = Pipeline::new();
        let numbers = [(); 2].map(|()| ProducerProbe::<u64>::silent().0.stage());
        let [one, two] = numbers.map(|numbers| numbers.in_group(&pipeline).spawn());
        let stage = noting.stage().subscribe_to(&one).subscribe_to(&two);
        let stage = stage.in_group(&pipeline).spawn();
        // Outside: whoever subscribes to a stage that has ended fails.
        let sinks = [(); 3].map(|()| {
            let sink = fold(0, |sum, n: u64| sum + n).stage();
            sink.subscribe_to(&stage).spawn()
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        // All of this is there when the stage is polled next.
        sinks[0].stop("leaves");
        sinks[1].stop("leaves");
        one.cast(emit(0..3)).unwrap();
        two.cast(emit(0..3)).unwrap();
        tokio::task::yield_now().await;
        for _ in 0..2 {
            let _ = stage.cast(Note);
            let _ = stage.info(7u64);
        }
        if let Some(waker) = &*waker.lock() {
            waker.wake_by_ref();
        }
        let drained = pipeline.drain(Duration::from_secs(5));
        soon(drained).await.unwrap();
        let log = log.lock().clone();
        let first = log.iter().position(|call| *call == stops_in);
        let first = first.unwrap_or_else(|| panic!("{stops_in} is not in {log:?}"));
        assert_eq!(log[first..], [stops_in, "terminate"], "{log:?}");
        let outcome = soon(stage.outcome()).await;
        assert_eq!(outcome.to_string(), "cancelled: enough");
        assert_settled(&pipeline);
    }
}

/// A source that waits for acknowledgements, and gives up.
#[tokio::test(start_paused = true)]
async fn a_stage_that_completes_may_still_stop_itself() {
    struct GivesUp;
    impl Producer for GivesUp {
        type Event = u64;
        async fn handle_demand(&mut self, _: usize, out: &mut Emitter<'_, u64>) -> StageResult {
            out.push(7);
            out.complete();
            out.wake_after(Duration::from_secs(10));
            Ok(())
        }
        async fn handle_wake(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
            out.stop("no acknowledgement within 10 s");
            Ok(())
        }
        fn may_complete(&self) -> bool {
            false
        }
    }
    let source = GivesUp.stage().spawn();
    let sink = fold(0, |sum, n: u64| sum + n).stage();
    let sink = sink.subscribe_to(&source).spawn();
    let outcome = soon(source.outcome()).await;
    assert_eq!(
        outcome.to_string(),
        "cancelled: no acknowledgement within 10 s"
    );
    // It was told that the source has completed, and so it has.
    assert_eq!(soon(sink.output()).await.unwrap(), 7);
}
