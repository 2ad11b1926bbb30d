//! A source that has completed and waits for acknowledgements: its consumers learn that
//! it has completed, and it stays (E2).

use std::sync::Arc;
use std::time::Duration;

use crate::common::acked::{Message, Queue};
use crate::common::log::Log;
use crate::common::{failure, pending, soon};
use parking_lot::Mutex;
use stage_core::SubscribeError;
use stage_runtime::explain::Cause;
use stage_runtime::operators::{fold, for_each, map};
use stage_runtime::prelude::*;
use stage_runtime::{Restart, RestartStrategy, Shed, ShedReason};
use stage_test::assert_settled;
use stage_test::probe::{Call, ConsumerProbe};
use tokio::time::{Instant, sleep};
use tracing::Level;

const TIMEOUT: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// Gathers messages until 100 are there, the timeout has passed, or its input has ended.
#[derive(Default)]
struct Gathers(Vec<Message>);

impl ProducerConsumer for Gathers {
    type In = Message;
    type Out = Vec<Message>;

    async fn handle_events(
        &mut self,
        events: &mut Batch<Message>,
        out: &mut Emitter<'_, Vec<Message>>,
    ) -> StageResult {
        if self.0.is_empty() {
            out.wake_after(TIMEOUT);
        }
        self.0.extend(events);
        if self.0.len() >= 100 {
            return self.handle_wake(out).await;
        }
        Ok(())
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, Vec<Message>>) -> StageResult {
        if !self.0.is_empty() {
            out.push(std::mem::take(&mut self.0));
        }
        Ok(())
    }

    async fn handle_complete(&mut self, out: &mut Emitter<'_, Vec<Message>>) -> StageResult {
        self.handle_wake(out).await
    }

    fn held(&self) -> usize {
        self.0.len()
    }
}

/// How a source comes to its completion.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Itself,
    Told,
    DrainsAlone,
    PipelineDrains,
}

#[tokio::test(start_paused = true)]
async fn what_was_gathered_is_emitted_at_once_when_the_source_has_completed() {
    for (ends, together) in [
        (Ends::Itself, false),
        (Ends::Itself, true),
        (Ends::Told, false),
        (Ends::DrainsAlone, false),
        (Ends::PipelineDrains, false),
        (Ends::PipelineDrains, true),
    ] {
        let pipeline = Pipeline::new();
        let mut group = pipeline.group(RestartStrategy::OneForOne);
        if together {
            group = group.co_located();
        }
        let asked = match ends {
            Ends::Itself => 30,
            // The source has more than the window of the relay.
            Ends::Told | Ends::DrainsAlone | Ends::PipelineDrains => 1_000,
        };
        let queue = Queue::with(0..asked);
        let source = queue.source().stage().in_group(&group).spawn();
        let relay = map(|message: Message| message).stage();
        let ten = source.subscription().max_demand(10).min_demand(5);
        let relay = relay.subscribe_to(ten).in_group(&group).spawn();
        let gathers = Gathers::default()
            .stage()
            .subscribe_to(relay.subscription().max_demand(35).min_demand(0));
        let gathers = gathers.in_group(&group).spawn();
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&sizes);
        for_each(move |batch: Vec<Message>| {
            seen.lock().push(batch.len());
            batch.into_iter().for_each(Message::ack);
        })
        .stage()
        .subscribe_to(&gathers)
        .in_group(&group)
        .spawn();
        let start = Instant::now();
        sleep(Duration::from_millis(1)).await;
        match ends {
            Ends::Itself => {}
            Ends::Told => source.complete(),
            Ends::DrainsAlone => source.drain(),
            Ends::PipelineDrains => pipeline.drain(10 * SECOND).await.unwrap(),
        }
        pipeline.join().await.unwrap();
        assert!(start.elapsed() < SECOND, "{ends:?}: {:?}", start.elapsed());
        assert_eq!(queue.unsettled(), 0);
        assert_eq!(queue.acked().len(), sizes.lock().iter().sum::<usize>());
        assert!(!queue.acked().is_empty());
        assert_settled(&pipeline);
    }
}

/// The batch is handed back to the stage that gathered it, whose source has told it
/// already that it has completed.
#[tokio::test(start_paused = true)]
async fn a_batch_that_comes_back_goes_to_the_next_consumer() {
    struct Fails;
    impl Consumer for Fails {
        type Event = Vec<Message>;
        async fn handle_events(
            &mut self,
            _: &mut Batch<Vec<Message>>,
            _: &mut Context<'_>,
        ) -> StageResult {
            Err("no connection".into())
        }
    }
    let queue = Queue::with(0..30);
    let source = queue.source().stage().spawn();
    let gathers = Gathers::default().stage().subscribe_to(&source).spawn();
    let fails = Fails.stage().subscribe_to(&gathers).spawn();
    failure(soon(fails.join()).await);
    pending(source.outcome()).await;
    pending(gathers.outcome()).await;
    assert_eq!((queue.unsettled(), queue.returned().len()), (30, 0));
    let acks = for_each(|batch: Vec<Message>| batch.into_iter().for_each(Message::ack));
    let acks = acks.stage().subscribe_to(&gathers).spawn();
    soon(acks.join()).await.unwrap();
    soon(source.join()).await.unwrap();
    assert_eq!((queue.acked().len(), queue.returned().len()), (30, 0));
}

/// What happened to a [`Leases`], in turn.
type Calls = Arc<Mutex<Vec<String>>>;

/// Emits 1, 2 and 3, completes, and stays until it has settled.
#[derive(Default)]
struct Leases {
    calls: Calls,
    has_settled: bool,
}

impl Leases {
    fn note(&self, call: impl Into<String>) {
        self.calls.lock().push(call.into());
    }
}

impl Producer for Leases {
    type Event = u64;

    async fn handle_start(&mut self, _: &mut Emitter<'_, u64>) -> StageResult {
        self.note("start");
        Ok(())
    }

    async fn handle_demand(&mut self, _: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        self.note("demand");
        out.extend([1, 2, 3]);
        out.complete();
        Ok(())
    }

    async fn handle_subscribe(&mut self, _: &Peer, _: &mut Emitter<'_, u64>) -> StageResult {
        self.note("subscribe");
        Ok(())
    }

    async fn handle_cancel(
        &mut self,
        _: &Peer,
        outcome: &Outcome,
        _: &mut Emitter<'_, u64>,
    ) -> StageResult {
        self.note(outcome.to_string());
        Ok(())
    }

    async fn handle_info(&mut self, _: Info, _: &mut Emitter<'_, u64>) -> StageResult {
        self.note("info");
        Ok(())
    }

    async fn handle_drain(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        self.note("drain");
        // As a source that has to be told: it keeps what it leased when it started.
        out.complete();
        Ok(())
    }

    fn may_complete(&self) -> bool {
        self.has_settled
    }

    async fn terminate(&mut self, outcome: &Outcome) {
        self.note(format!("end: {outcome}"));
    }
}

/// Has a [`Leases`] do something.
struct Do<F>(F);

impl<F> Handler<Do<F>, u64> for Leases
where
    F: FnOnce(&mut Self, &mut Emitter<'_, u64>) -> StageResult + Send + 'static,
{
    type Reply = ();

    async fn handle(&mut self, action: Do<F>, out: &mut Emitter<'_, u64>) -> StageResult {
        (action.0)(self, out)
    }
}

fn settle(leases: &mut Leases, _: &mut Emitter<'_, u64>) -> StageResult {
    leases.has_settled = true;
    Ok(())
}

fn break_down(_: &mut Leases, _: &mut Emitter<'_, u64>) -> StageResult {
    Err("connection lost".into())
}

/// What it can hand back it hands back before the links have ended.
#[tokio::test(start_paused = true)]
async fn a_consumer_that_fails_with_the_last_events_hands_them_back() {
    let source = Leases::default().stage().spawn();
    let (probe, mut calls) = ConsumerProbe::<u64>::new();
    let fails = probe.on_call(|call| match call {
        Call::Events(_) => Err("no connection".into()),
        _ => Ok(()),
    });
    let fails = fails.stage().subscribe_to(&source).spawn();
    assert_eq!(calls.events().await, [1, 2, 3]);
    failure(soon(fails.join()).await);
    pending(source.outcome()).await;
    let all = fold(Vec::new(), |mut all, n: u64| {
        all.push(n);
        all
    });
    let all = all.stage().subscribe_to(&source).spawn();
    assert_eq!(soon(all.output()).await.unwrap().len(), 3);
    pending(source.outcome()).await;
    soon(source.call(Do(settle))).await.unwrap();
    soon(source.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_consumer_of_every_dispatcher_is_told() {
    let parts = Partition::by_index(2, |n: &u64| Some((n % 2) as usize)).unwrap();
    let parts = Leases::default().stage().dispatcher(parts).spawn();
    let odd = fold(0, |sum, n: u64| sum + n).stage();
    let odd = odd.subscribe_to(parts.partition(1)).spawn();
    let even = fold(0, |sum, n: u64| sum + n).stage();
    let even = even.subscribe_to(parts.partition(0)).spawn();
    assert_eq!(soon(odd.output()).await.unwrap(), 4);
    assert_eq!(soon(even.output()).await.unwrap(), 2);
    pending(parts.outcome()).await;

    let all = Leases::default().stage().dispatcher(Broadcast::new());
    let all = all.spawn();
    all.set_gate(Gate::Closed);
    let sum = fold(0, |sum, n: u64| sum + n).stage();
    let sum = sum.subscribe_to(&all).spawn();
    let count = fold(0, |count, _: u64| count + 1).stage();
    let count = count.subscribe_to(&all).spawn();
    sleep(SECOND).await;
    all.set_gate(Gate::Open);
    assert_eq!(soon(sum.output()).await.unwrap(), 6);
    assert_eq!(soon(count.output()).await.unwrap(), 3);
    pending(all.outcome()).await;
}

/// Also behind a gate, if nothing waits behind it.
#[tokio::test(start_paused = true)]
async fn whoever_subscribes_later_is_told_that_the_source_has_completed() {
    for gate in [Gate::Open, Gate::Closed] {
        let source = Leases::default().stage().spawn();
        let first = for_each(|_: u64| ()).stage().subscribe_to(&source).spawn();
        soon(first.join()).await.unwrap();
        source.set_gate(gate);
        let late = for_each(|_: u64| ()).stage().subscribe_to(&source).spawn();
        soon(late.join()).await.unwrap();
        let running = for_each(|_: u64| ()).stage().spawn();
        let refused = soon(running.subscribe(&source)).await;
        assert!(
            matches!(refused, Err(SubscribeError::ProducerCompleted { .. })),
            "{refused:?}"
        );
        pending(source.outcome()).await;
        assert_eq!(source.stats().unmet, 0);
        soon(source.call(Do(settle))).await.unwrap();
        assert!(soon(source.outcome()).await.is_completed());
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_gate_is_sent_first() {
    let source = Leases::default().stage().spawn();
    source.set_gate(Gate::Closed);
    let sink = fold(0, |sum, n: u64| sum + n);
    let sink = sink.stage().subscribe_to(&source).spawn();
    let emits = |_: &mut Leases, out: &mut Emitter<'_, u64>| {
        out.push(70);
        out.complete();
        Ok(())
    };
    soon(source.call(Do(emits))).await.unwrap();
    pending(sink.outcome()).await;
    source.set_gate(Gate::Open);
    assert_eq!(soon(sink.output()).await.unwrap(), 70);
    pending(source.outcome()).await;
}

/// Of those that left before, it is told as always.
#[tokio::test(start_paused = true)]
async fn the_source_hears_of_consumers_that_left_and_not_of_those_that_it_left() {
    let leases = Leases::default();
    let log = Arc::clone(&leases.calls);
    let source = leases.stage().spawn();
    source.set_gate(Gate::Closed);
    let (leaves, stays) = (for_each(|_: u64| ()).stage(), for_each(|_: u64| ()).stage());
    let (leaves, stays) = (leaves.spawn(), stays.subscribe_to(&source).spawn());
    let id = soon(leaves.subscribe(&source)).await.unwrap();
    let evicts = move |_: &mut Leases, out: &mut Emitter<'_, u64>| {
        // The consumer has not left yet when the source has completed.
        out.cancel(id, "enough");
        out.complete();
        Ok(())
    };
    soon(source.call(Do(evicts))).await.unwrap();
    soon(stays.join()).await.unwrap();
    soon(leaves.outcome()).await;
    soon(source.call(Do(settle))).await.unwrap();
    soon(source.join()).await.unwrap();
    assert_eq!(
        *log.lock(),
        [
            "start",
            "subscribe",
            "subscribe",
            "cancelled: enough",
            "end: completed"
        ]
    );
}

/// They are dropped at once: the source may wait for them.
#[tokio::test(start_paused = true)]
async fn what_it_emits_afterwards_is_discarded_at_once_and_infos_still_come() {
    for has_hook in [false, true] {
        let (traced, _guard) = Log::listen(Level::WARN);
        let pipeline = Pipeline::new();
        let leases = Leases::default();
        let calls = Arc::clone(&leases.calls);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let source = leases.stage().name("source").in_group(&pipeline);
        let source = if !has_hook {
            source.spawn()
        } else {
            let seen = Arc::clone(&seen);
            let hook = move |shed: Shed<u64>| {
                let events = shed.events.into_iter();
                seen.lock().extend(events.map(|n| (shed.reason, n)));
            };
            source.shed(hook).spawn()
        };
        let sink = fold(0, |sum, n: u64| sum + n).stage();
        let sink = sink.subscribe_to(&source).in_group(&pipeline).spawn();
        assert_eq!(soon(sink.output()).await.unwrap(), 6);
        for n in [70, 80] {
            let emits = move |_: &mut Leases, out: &mut Emitter<'_, u64>| {
                out.push(n);
                Ok(())
            };
            // Both are handled before the stage comes to rest.
            source.cast(Do(emits)).unwrap();
            source.info("late").unwrap();
            sleep(SECOND).await;
            let stats = source.stats();
            assert_eq!((stats.buffered, stats.discarded), (0, n / 10 - 6));
        }
        assert_eq!(
            calls.lock().iter().filter(|call| **call == "info").count(),
            2
        );
        let (hook, lines) = (std::mem::take(&mut *seen.lock()), traced.lines());
        if !has_hook {
            assert_eq!(lines.len(), 2, "{lines:?}");
            assert!(
                lines[0].contains("after the stage has completed"),
                "{lines:?}"
            );
        } else {
            let reason = ShedReason::NoSubscriber;
            assert_eq!((hook, lines.len()), (vec![(reason, 70), (reason, 80)], 0));
        }
        soon(source.call(Do(settle))).await.unwrap();
        soon(pipeline.join()).await.unwrap();
        assert_settled(&pipeline);
    }
}

/// The new state is told that it has to end, and nobody waits for anybody.
#[tokio::test(start_paused = true)]
async fn a_source_that_fails_afterwards_stays_completed() {
    let calls = Calls::default();
    let log = Arc::clone(&calls);
    let made = move || Leases {
        calls: Arc::clone(&calls),
        has_settled: false,
    };
    let source = supervised(made).restart(Restart::on_failure()).stage();
    let source = source.name("source").spawn();
    let sink = for_each(|_: u64| ()).stage().subscribe_to(&source).spawn();
    soon(sink.join()).await.unwrap();
    soon(source.call(Do(break_down))).await.unwrap_err();
    pending(source.outcome()).await;
    let late = for_each(|_: u64| ()).stage().subscribe_to(&source).spawn();
    soon(late.join()).await.unwrap();
    soon(source.call(Do(settle))).await.unwrap();
    soon(source.join()).await.unwrap();
    assert_eq!(
        *log.lock(),
        [
            "start",
            "subscribe",
            "demand",
            "end: failed: stage `source` failed: connection lost",
            "start",
            "drain",
            "end: completed",
        ]
    );
}

/// Its next state has the same consumers, so they are told nothing before it drains.
#[tokio::test(start_paused = true)]
async fn a_source_that_always_restarts_keeps_its_consumers() {
    let source = supervised(Leases::default)
        .restart(Restart::always())
        .stage();
    let source = source.spawn();
    let (probe, mut calls) = ConsumerProbe::<u64>::new();
    let sink = probe.stage().subscribe_to(&source).spawn();
    calls.producer_joined().await;
    for _ in 0..3 {
        assert_eq!(calls.events().await, [1, 2, 3]);
        pending(sink.outcome()).await;
        soon(source.call(Do(settle))).await.unwrap();
    }
    assert_eq!(calls.events().await, [1, 2, 3]);
    source.drain();
    soon(sink.join()).await.unwrap();
    pending(source.outcome()).await;
    soon(source.call(Do(settle))).await.unwrap();
    assert!(soon(source.outcome()).await.is_completed());
    assert_eq!(source.stats().restarts, 3);
}

/// A drain waits for it until its deadline, and names it.
#[tokio::test(start_paused = true)]
async fn a_source_that_nobody_settles_is_the_cause_alone() {
    let pipeline = Pipeline::new();
    let queue = Queue::with(0..20);
    let source = queue.source().stage().name("leases").in_group(&pipeline);
    let source = source.spawn();
    source.set_gate(Gate::Open);
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeps = Arc::clone(&kept);
    let sink = for_each(move |message: Message| keeps.lock().push(message)).stage();
    let sink = sink.subscribe_to(&source).in_group(&pipeline).spawn();
    soon(sink.join()).await.unwrap();
    source.set_gate(Gate::Closed);
    sleep(SECOND).await;
    let explanation = pipeline.explain(Duration::from_millis(1));
    let cause = explanation.cause();
    assert!(
        matches!(cause, Some(Cause::Holding { held: 20, .. })),
        "{cause:?}"
    );
    let shown = pipeline.snapshot();
    assert!(shown.stages[0].completing && shown.stages[0].outcome.is_none());
    let error = soon(pipeline.drain(SECOND)).await.unwrap_err();
    let [left] = &error.left[..] else {
        panic!("{error}");
    };
    assert_eq!((&*left.stage, left.held), ("leases", 20));
    kept.lock().clear();
    assert_settled(&pipeline);
}
