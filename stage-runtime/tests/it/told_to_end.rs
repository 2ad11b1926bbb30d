//! `complete` and `drain` of one stage, from outside (E19, E20, R7).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use crate::common::{cancelled, pending, soon, word};
use stage_runtime::handle::StageControl;
use stage_runtime::operators::{chunks_timeout, fold, for_each, from_iter, map};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{Call, ConsumerProbe, ProducerProbe, act, emit};
use tokio::sync::Semaphore;

const SECOND: Duration = Duration::from_secs(1);

/// A source that emits what it has taken in before it completes, and counts the calls of
/// `handle_drain`.
struct Flushes(Arc<AtomicUsize>);

impl Producer for Flushes {
    type Event = u64;

    async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, u64>) -> StageResult {
        Ok(())
    }

    async fn handle_drain(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        self.0.fetch_add(1, SeqCst);
        out.extend([1, 2, 3]);
        out.complete();
        Ok(())
    }
}

impl Handler<&'static str, u64> for Flushes {
    type Reply = ();

    async fn handle(&mut self, message: &'static str, _: &mut Emitter<'_, u64>) -> StageResult {
        Err(message.into())
    }
}

fn counts() -> Arc<AtomicUsize> {
    Arc::new(AtomicUsize::new(0))
}

/// Each source that ends early repeated a message for it; see also
/// elixir-lang/gen_stage#145, a producer that should end and have its leftover events
/// handled.
#[tokio::test(start_paused = true)]
async fn a_source_that_is_told_to_complete_has_all_it_emitted_handled() {
    let source = from_iter(0..u64::MAX).stage().spawn();
    let sum = fold(0, |count, _: u64| count + 1)
        .stage()
        .subscribe_to(&source);
    let sum = sum.spawn();
    while sum.stats().events_in == 0 {
        tokio::task::yield_now().await;
    }
    source.complete();
    assert!(soon(source.outcome()).await.is_completed());
    assert_eq!(soon(sum.output()).await.unwrap(), source.stats().events_out);
    assert_eq!(source.stats().discarded, 0);
}

/// elixir-lang/gen_stage#155: a stage that is to end when all is delivered is given no
/// more demand meanwhile.
#[tokio::test(start_paused = true)]
async fn the_buffer_leaves_before_the_end_and_no_demand_is_answered() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    soon(source.call(emit(0..10))).await.unwrap();
    source.complete();
    pending(source.outcome()).await;

    let (probe, mut calls) = ConsumerProbe::new();
    let _consumer = probe.stage().subscribe_to(&source).spawn();
    assert_eq!(calls.gather(10).await, (0..10).collect::<Vec<_>>());
    assert!(soon(source.outcome()).await.is_completed());
    let calls = above.drain().await;
    assert!(
        !calls.iter().any(|call| matches!(call, Call::Demand(_))),
        "{calls:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_told_to_complete_gives_back_what_it_has_not_handled() {
    let source = from_iter(0..10u64).stage().spawn();
    let permits = Arc::new(Semaphore::new(0));
    let (probe, mut calls) = ConsumerProbe::new();
    let first = probe
        .held_by(&permits)
        .stage()
        .subscribe_to(source.subscription().max_demand(6).min_demand(4))
        .spawn();
    assert_eq!(calls.events().await, [0, 1]);
    first.complete();
    // It waits for the handler that runs.
    pending(first.outcome()).await;
    permits.add_permits(10);
    assert!(soon(first.outcome()).await.is_completed());
    assert_eq!(first.stats().events_in, 2);

    let (probe, mut calls) = ConsumerProbe::new();
    let _second = probe.stage().subscribe_to(&source).spawn();
    assert_eq!(calls.gather(8).await, (2..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_closed_gate_holds_up_the_end() {
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().gate(Gate::Closed).spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let _consumer = probe.stage().subscribe_to(&source).spawn();
    soon(source.call(emit(0..3))).await.unwrap();
    source.complete();
    pending(source.outcome()).await;
    source.set_gate(Gate::Open);
    assert_eq!(calls.gather(3).await, [0, 1, 2]);
    assert!(soon(source.outcome()).await.is_completed());
}

/// A source that has to wait for the acknowledgement of what it emitted.
struct Acknowledged(bool);

impl Producer for Acknowledged {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        out.extend(std::iter::repeat_n(0, demand));
        Ok(())
    }

    fn may_complete(&self) -> bool {
        self.0
    }
}

struct Acknowledge;

impl Handler<Acknowledge, u64> for Acknowledged {
    type Reply = ();

    async fn handle(&mut self, _: Acknowledge, _: &mut Emitter<'_, u64>) -> StageResult {
        self.0 = true;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_may_not_complete_yet_stays() {
    for ends in [StageControl::complete, StageControl::drain] {
        let source = Acknowledged(false).stage().spawn();
        ends(&source);
        let sink = for_each(|_: u64| ()).stage().subscribe_to(&source).spawn();
        pending(source.outcome()).await;
        soon(source.call(Acknowledge)).await.unwrap();
        assert!(soon(source.outcome()).await.is_completed());
        soon(sink.join()).await.unwrap();

        let permits = Arc::new(Semaphore::new(0));
        let waits = Arc::clone(&permits);
        let jobs = per_event(move |_: u64| {
            let waits = Arc::clone(&waits);
            async move {
                drop(waits.acquire().await?);
                Ok(())
            }
        });
        let jobs = jobs
            .stage()
            .subscribe_to(&from_iter(0..3u64).stage().spawn());
        let jobs = jobs.spawn();
        while jobs.stats().events_in < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        ends(&jobs);
        pending(jobs.outcome()).await;
        permits.add_permits(1);
        assert!(soon(jobs.outcome()).await.is_completed());
    }
}

#[tokio::test(start_paused = true)]
async fn completing_twice_early_or_late_changes_nothing() {
    let (probe, mut calls) = ConsumerProbe::<u64>::new();
    let source = from_iter(0..u64::MAX).stage().spawn();
    let early = probe.stage().subscribe_to(&source).spawn();
    early.complete();
    early.complete();
    assert!(soon(early.outcome()).await.is_completed());
    let calls = calls.drain().await;
    let terminated = |call: &Call<u64>| matches!(call, Call::Terminated(Outcome::Completed));
    assert!(calls.last().is_some_and(terminated), "{calls:?}");
    assert!(
        !calls.iter().any(|call| matches!(call, Call::Events(_))),
        "{calls:?}"
    );

    source.stop("enough");
    assert_eq!(word(&soon(source.outcome()).await), "cancelled");
    source.complete();
    source.drain();
    assert_eq!(
        soon(source.outcome()).await.to_string(),
        "cancelled: enough"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_overrides_both() {
    for ends in [StageControl::complete, StageControl::drain] {
        let (probe, _) = ProducerProbe::<u64>::silent();
        let source = probe.stage().spawn();
        ends(&source);
        source.stop("at once");
        assert_eq!(cancelled(soon(source.join()).await), "at once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_tell_its_own_stage() {
    for ends in [StageControl::complete, StageControl::drain] {
        let (probe, mut above) = ProducerProbe::<u64>::silent();
        let source = probe.stage().spawn();
        let (probe, mut calls) = ConsumerProbe::new();
        let _consumer = probe.stage().subscribe_to(&source).spawn();
        above.demand().await;
        let myself = source.control();
        let told = act(move |out: &mut Emitter<'_, u64>| {
            ends(&myself);
            assert!(!myself.is_ended());
            out.push(7);
            Ok(())
        });
        soon(source.call(told)).await.unwrap();
        assert!(soon(source.outcome()).await.is_completed());
        assert_eq!(calls.events().await, [7]);
        // The demand was not answered again, and the end came once.
        let calls = above.drain().await;
        assert!(
            matches!(
                calls.as_slice(),
                [
                    Call::ConsumerJoined(_),
                    Call::Terminated(Outcome::Completed)
                ]
            ),
            "{calls:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_is_told_to_complete_is_not_restarted() {
    let made = counts();
    let factory = {
        let made = Arc::clone(&made);
        move || {
            made.fetch_add(1, SeqCst);
            from_iter(0..u64::MAX)
        }
    };
    let source = supervised(factory)
        .restart(Restart::always())
        .stage()
        .spawn();
    source.complete();
    assert!(soon(source.outcome()).await.is_completed());
    assert_eq!(made.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_waits_to_be_restarted_is_told_when_it_is_back() {
    for drains in [false, true] {
        let drained = counts();
        let factory = {
            let drained = Arc::clone(&drained);
            move || Flushes(Arc::clone(&drained))
        };
        let restart = Restart::on_failure().backoff(SECOND, SECOND);
        let source = supervised(factory).restart(restart).stage().spawn();
        let (probe, mut calls) = ConsumerProbe::new();
        let consumer = probe.stage().subscribe_to(&source).spawn();
        soon(source.call("fail")).await.unwrap_err();
        let failed = tokio::time::Instant::now();
        if drains {
            source.drain();
        } else {
            source.complete();
        }
        pending(source.outcome()).await;
        assert!(soon(source.outcome()).await.is_completed());
        assert!(failed.elapsed() >= SECOND);
        assert_eq!(source.stats().restarts, 1);
        assert_eq!(drained.load(SeqCst), usize::from(drains));
        if drains {
            assert_eq!(calls.gather(3).await, [1, 2, 3]);
        }
        soon(consumer.join()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_drains_alone_emits_what_it_has_taken_in() {
    let drained = counts();
    let source = Flushes(Arc::clone(&drained))
        .stage()
        .gate(Gate::Closed)
        .spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe.stage().subscribe_to(&source).spawn();
    let other = from_iter(0..u64::MAX).stage().gate(Gate::Closed).spawn();
    soon(consumer.subscribe(&other)).await.unwrap();
    source.drain();
    source.drain();
    assert!(soon(source.outcome()).await.is_completed());
    assert_eq!(calls.gather(3).await, [1, 2, 3]);
    assert_eq!(drained.load(SeqCst), 1);
    // Its consumer has another producer, and goes on.
    pending(consumer.outcome()).await;
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_drains_alone_handles_what_has_arrived() {
    let pipeline = Pipeline::new();
    let (probe, mut above) = ProducerProbe::counting();
    let source = probe.stage().in_group(&pipeline).spawn();
    let permits = Arc::new(Semaphore::new(0));
    let (probe, mut calls) = ConsumerProbe::new();
    let leaves = probe
        .held_by(&permits)
        .stage()
        .subscribe_to(source.subscription().max_demand(6).min_demand(4))
        .in_group(&pipeline)
        .spawn();
    assert_eq!(calls.events().await, [0, 1]);
    leaves.drain();
    pending(leaves.outcome()).await;
    permits.add_permits(10);
    assert!(soon(leaves.outcome()).await.is_completed());
    assert_eq!(leaves.stats().events_in, 6);
    assert_eq!(word(&above.consumer_left().await.1), "cancelled");

    // The producer has lost one of its consumers, and serves another one.
    let (probe, mut calls) = ConsumerProbe::new();
    let stays = probe.stage().subscribe_to(&source).in_group(&pipeline);
    let _stays = stays.spawn();
    assert_eq!(calls.events().await[0], 6);
    soon(pipeline.drain(SECOND)).await.unwrap();
    assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_gathers_gives_its_last_window_when_it_drains_alone() {
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let windows = chunks_timeout(4, 600 * SECOND)
        .stage()
        .subscribe_to(&source)
        .spawn();
    let all = fold(Vec::new(), |mut all, window: Vec<u64>| {
        all.push(window);
        all
    });
    let all = all.stage().subscribe_to(&windows).spawn();
    tokio::task::yield_now().await;
    soon(source.call(emit(0..6))).await.unwrap();
    while windows.stats().events_in < 6 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    windows.drain();
    assert!(soon(windows.outcome()).await.is_completed());
    let all = soon(all.output()).await.unwrap();
    assert_eq!(all, [vec![0, 1, 2, 3], vec![4, 5]]);
    pending(source.outcome()).await;
}

#[tokio::test(start_paused = true)]
async fn a_stage_whose_events_nobody_takes_ends_as_cancelled_when_it_drains() {
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    soon(source.call(emit(0..3))).await.unwrap();
    // Completing waits for a consumer.
    source.complete();
    pending(source.outcome()).await;
    source.drain();
    assert_eq!(word(&soon(source.outcome()).await), "cancelled");
    assert_eq!(source.stats().discarded, 3);
}

/// A stage that drains with its pipeline keeps its subscriptions to the stages that drain
/// with it, also if it is then told to drain by itself: their events are under way.
#[tokio::test(start_paused = true)]
async fn draining_alone_in_a_drain_of_the_pipeline_changes_nothing() {
    let pipeline = Pipeline::new();
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().in_group(&pipeline).spawn();
    let permits = Arc::new(Semaphore::new(0));
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe
        .held_by(&permits)
        .stage()
        .subscribe_to(source.subscription().max_demand(4).min_demand(2))
        .in_group(&pipeline)
        .spawn();
    soon(source.call(emit(0..30))).await.unwrap();
    assert_eq!(calls.events().await, [0, 1]);
    let drain = tokio::spawn({
        let pipeline = pipeline.clone();
        async move { pipeline.drain(600 * SECOND).await }
    });
    tokio::task::yield_now().await;
    // One request while the first is pending, one after it was taken.
    consumer.drain();
    permits.add_permits(1);
    assert_eq!(calls.events().await, [2, 3]);
    consumer.drain();
    permits.add_permits(100);
    assert_eq!(calls.gather(26).await, (4..30).collect::<Vec<_>>());
    soon(drain).await.unwrap().unwrap();
    soon(pipeline.join()).await.unwrap();
    assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_drains_after_one_of_its_stages_has() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..u64::MAX).stage().in_group(&pipeline).spawn();
    let relay = map(|n: u64| n).stage().subscribe_to(&source);
    let relay = relay.in_group(&pipeline).spawn();
    let sink = for_each(|_: u64| ()).stage().subscribe_to(&relay);
    let sink = sink.in_group(&pipeline).spawn();
    while sink.stats().events_in == 0 {
        tokio::task::yield_now().await;
    }
    relay.drain();
    assert!(soon(relay.outcome()).await.is_completed());
    assert!(soon(sink.outcome()).await.is_completed());
    pending(source.outcome()).await;
    // The source has no consumer any more.
    soon(pipeline.drain(SECOND)).await.unwrap();
    assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn a_map_of_stages_is_drained_one_by_one() {
    let source = from_iter(0..u64::MAX).stage().name("source").spawn();
    let doubled = map(|n: u64| n.wrapping_mul(2)).stage().name("doubled");
    let doubled = doubled.subscribe_to(&source).spawn();
    let sink = for_each(|_: u64| ()).stage().name("sink");
    let sink = sink.subscribe_to(&doubled).spawn();
    let stages: std::collections::BTreeMap<String, StageControl> =
        [source.control(), doubled.control(), sink.control()]
            .map(|stage| (stage.name().to_owned(), stage))
            .into();
    while stages["sink"].stats().events_in == 0 {
        tokio::task::yield_now().await;
    }
    stages["source"].drain();
    for name in ["source", "doubled", "sink"] {
        assert!(soon(stages[name].outcome()).await.is_completed(), "{name}");
    }
    let (out, into) = (stages["source"].stats(), stages["sink"].stats());
    assert_eq!(out.events_out, into.events_in);
}
