//! Consumers that fail, are slow, or never ask.

use std::time::Duration;

use stage_runtime::operators::{from_iter, map};
use stage_runtime::prelude::*;
use stage_runtime::snapshot::Activity;
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe, act};

use crate::common::failure_plan::{FailurePlan, Shaky};
use crate::common::wiring::{demanding, gone, restarts};
use crate::common::{seeds, soon};

/// Some restart and some do not; one never fails.
#[test]
fn consumers_that_fail_inside_a_batch_lose_at_most_what_they_had_taken() {
    seeds(200, |seed, mut random| async move {
        let events = random.u64(0..400);
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let source = from_iter(0..events)
            .stage()
            .gate(Gate::Closed)
            .in_group(&pipeline)
            .spawn();
        let steady = Shaky::new(&mut random, &failure_plan, 0)
            .stage()
            .subscribe_to(demanding(source.subscription(), &mut random, 40))
            .in_group(&pipeline)
            .spawn();
        for _ in 0..random.usize(0..4) {
            let policy = if random.bool() {
                restarts(&mut random)
            } else {
                Restart::never()
            };
            let (mut fork, noted) = (random.fork(), failure_plan.clone());
            supervised(move || Shaky::new(&mut fork, &noted, 15))
                .restart(policy)
                .stage()
                .subscribe_to(demanding(source.subscription(), &mut random, 40))
                .in_group(&pipeline)
                .spawn();
        }
        source.set_gate(Gate::Open);
        soon(source.join()).await.unwrap();
        soon(steady.join()).await.unwrap();
        let _ = soon(pipeline.join()).await;
        failure_plan.check(events, 0, seed);
        let lost: u64 = pipeline
            .snapshot()
            .stages
            .iter()
            .map(|stage| stage.stats.lost)
            .sum();
        assert_eq!(lost, failure_plan.count("lost"), "seed {seed}");
        assert_settled(&pipeline);
    });
}

/// With a copy kept, or a hook, or both, nothing is lost.
#[test]
fn what_a_failing_consumer_keeps_is_handled_again_or_dead_lettered() {
    seeds(200, |seed, mut random| async move {
        let events = random.u64(0..300);
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let source = from_iter(0..events).stage().in_group(&pipeline).spawn();
        for _ in 0..random.usize(1..4) {
            let (mut fork, noted) = (random.fork(), failure_plan.clone());
            let consumer = supervised(move || Shaky::new(&mut fork, &noted, 12).keeps())
                .restart(restarts(&mut random))
                .stage()
                .retain_taken()
                .subscribe_to(demanding(source.subscription(), &mut random, 30));
            let consumer = if random.bool() {
                let noted = failure_plan.clone();
                consumer.dead_letters(move |letter| {
                    assert_eq!((letter.events.len(), letter.lost), (1, 0), "seed {seed}");
                    noted.note(letter.events[0], "dead");
                })
            } else {
                consumer
            };
            consumer.in_group(&pipeline).spawn();
        }
        soon(pipeline.join()).await.unwrap();
        failure_plan.check(events, 0, seed);
        let dead: u64 = pipeline
            .snapshot()
            .stages
            .iter()
            .map(|stage| stage.stats.dead_lettered)
            .sum();
        assert_eq!(dead, failure_plan.count("dead"), "seed {seed}");
        assert_settled(&pipeline);
    });
}

/// The same in the middle of a pipeline.
#[test]
fn relays_that_fail_inside_a_batch_lose_at_most_what_they_had_taken() {
    seeds(200, |seed, mut random| async move {
        let events = random.u64(0..300);
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let source = from_iter(0..events).stage().in_group(&pipeline).spawn();
        let mut sink = Shaky::new(&mut random, &failure_plan, 0).stage();
        for _ in 0..random.usize(1..4) {
            let (mut fork, noted) = (random.fork(), failure_plan.clone());
            let relay = supervised(move || {
                let mut shaky = Shaky::new(&mut fork, &noted, 20);
                map(move |n: u64| {
                    if shaky.stumbles() {
                        shaky.failure_plan.note(n, "lost");
                        panic!("stumbled");
                    }
                    n
                })
            });
            let relay = relay
                .restart(restarts(&mut random))
                .stage()
                .subscribe_to(demanding(source.subscription(), &mut random, 30))
                .in_group(&pipeline)
                .spawn();
            sink = sink.subscribe_to(demanding(relay.subscription(), &mut random, 30));
        }
        sink.in_group(&pipeline).spawn();
        soon(pipeline.join()).await.unwrap();
        failure_plan.check(events, 0, seed);
        assert_settled(&pipeline);
    });
}

/// Somewhere in the middle a stage fails for good: the others are stopped, and
/// what they had is counted.
#[test]
fn a_stage_that_fails_for_good_takes_its_pipeline_down_and_all_is_counted() {
    seeds(200, |seed, mut random| async move {
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let source = from_iter(0u64..).stage().in_group(&pipeline).spawn();
        let (mut fork, noted) = (random.fork(), failure_plan.clone());
        let relay = supervised(move || {
            let mut shaky = Shaky::new(&mut fork, &noted, 60);
            map(move |n: u64| {
                if shaky.stumbles() {
                    shaky.failure_plan.note(n, "lost");
                    panic!("stumbled");
                }
                n
            })
        });
        let relay = relay
            .restart(restarts(&mut random).max_restarts(random.usize(0..3)))
            .stage()
            .name("relay")
            .subscribe_to(demanding(source.subscription(), &mut random, 30))
            .in_group(&pipeline)
            .spawn();
        for _ in 0..random.usize(1..4) {
            Shaky::new(&mut random, &failure_plan, 0)
                .stage()
                .subscribe_to(demanding(relay.subscription(), &mut random, 30))
                .in_group(&pipeline)
                .spawn();
        }
        let error = soon(pipeline.join()).await.unwrap_err().to_string();
        assert!(error.contains("`relay`"), "seed {seed}: {error}");
        let emitted = source.stats().events_out;
        failure_plan.check(emitted, gone(&pipeline.snapshot()), seed);
        assert_settled(&pipeline);
    });
}

#[test]
fn a_slow_consumer_slows_its_own_link_and_holds_no_more_than_it_asked_for() {
    seeds(100, |seed, mut random| async move {
        let events = random.u64(100..400);
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let source = from_iter(0..events).stage().in_group(&pipeline).spawn();
        let slow = from_slow(&failure_plan)
            .stage()
            .name("slow")
            .subscribe_to(demanding(source.subscription(), &mut random, 20))
            .in_group(&pipeline)
            .spawn();
        let fast = Shaky::new(&mut random, &failure_plan, 0)
            .stage()
            .subscribe_to(demanding(source.subscription(), &mut random, 20))
            .in_group(&pipeline)
            .spawn();
        while !slow.is_ended() {
            tokio::time::sleep(Duration::from_millis(random.u64(1..500))).await;
            let snapshot = pipeline.snapshot();
            for link in &snapshot.links {
                assert!(
                    link.totals.in_flight <= link.max_demand,
                    "seed {seed}: {link:?}"
                );
            }
            assert_eq!(source.stats().buffered, 0, "seed {seed}");
        }
        soon(pipeline.join()).await.unwrap();
        failure_plan.check(events, 0, seed);
        assert!(
            slow.stats().events_in <= 20 && fast.stats().events_in >= events - 20,
            "seed {seed}: {:?} {:?}",
            slow.stats(),
            fast.stats()
        );
        assert_settled(&pipeline);
    });
}

/// An hour for the first event, nothing for the others.
fn from_slow(failure_plan: &FailurePlan) -> impl Consumer<Event = u64> + use<> {
    struct Slow(FailurePlan, bool);

    impl Consumer for Slow {
        type Event = u64;

        async fn handle_events(
            &mut self,
            events: &mut Batch<u64>,
            _cx: &mut Context<'_>,
        ) -> StageResult {
            if std::mem::take(&mut self.1) {
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
            for n in events {
                self.0.note(n, "handled");
            }
            Ok(())
        }
    }

    Slow(failure_plan.clone(), true)
}

#[test]
fn a_broadcast_waits_visibly_for_the_one_that_never_asks() {
    seeds(100, |seed, mut random| async move {
        let pipeline = Pipeline::new();
        let (probe, _) = ProducerProbe::counting();
        let source = probe
            .stage()
            .dispatcher(Broadcast::new())
            .in_group(&pipeline)
            .spawn();
        let (probe, mut silent) = ConsumerProbe::<u64>::manual();
        let silent_one = probe
            .stage()
            .name("silent")
            .subscribe_to(source.subscription())
            .in_group(&pipeline)
            .spawn();
        let link = silent.producer_joined().await.subscription;
        let asked = random.usize(0..30);
        silent_one.ask(link, asked);
        let mut others = Vec::new();
        for _ in 0..random.usize(1..4) {
            let (probe, calls) = ConsumerProbe::new();
            probe
                .stage()
                .subscribe_to(demanding(source.subscription(), &mut random, 50))
                .in_group(&pipeline)
                .spawn();
            others.push(calls);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let snapshot = pipeline.snapshot();
        let stage = &snapshot.stages[0];
        assert_eq!(stage.activity, Activity::WaitingForDemand, "seed {seed}");
        let bottleneck = stage.bottleneck.clone();
        assert_eq!(
            bottleneck.and_then(|it| it.link),
            Some(link),
            "seed {seed}: {snapshot:#?}"
        );
        for link in &snapshot.links {
            assert!(
                link.totals.delivered <= asked as u64,
                "seed {seed}: {link:?}"
            );
        }
        assert_settled(&pipeline);

        silent_one.call(act(|_| Ok(()))).await.unwrap();
        silent_one.stop("asked to leave");
        soon(silent_one.outcome()).await;
        for calls in &mut others {
            while calls.events().await.last() < Some(&(asked as u64)) {}
        }
        pipeline.stop("enough");
        soon(pipeline.shutdown()).await;
        assert_settled(&pipeline);
    });
}
