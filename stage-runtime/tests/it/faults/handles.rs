//! Handles that are dropped; stages that are stopped and pipelines that are
//! drained more than once, and too late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use futures::future::join_all;
use stage_runtime::operators::{from_iter, map};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, act};
use tokio::runtime::Handle as Runtime;

use crate::common::failure_plan::{FailurePlan, Shaky};
use crate::common::wiring::{a_while, demanding, gone};
use crate::common::{cancelled, seeds, soon};

#[test]
fn dropped_handles_detach_and_leave_no_task_behind() {
    seeds(100, |seed, mut random| async move {
        let events = random.u64(0..200);
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let source = from_iter(0..events).stage().in_group(&pipeline).spawn();
        let relay = map(|n: u64| n)
            .stage()
            .subscribe_to(demanding(source.subscription(), &mut random, 20))
            .in_group(&pipeline)
            .spawn();
        if random.bool() {
            drop(source);
        }
        a_while(&mut random, 5).await;
        Shaky::new(&mut random, &failure_plan, 0)
            .stage()
            .subscribe_to(demanding(relay.subscription(), &mut random, 20))
            .in_group(&pipeline)
            .spawn();
        drop(relay);
        soon(pipeline.join()).await.unwrap();
        failure_plan.check(events, 0, seed);
        assert_settled(&pipeline);
        drop(pipeline);
        a_while(&mut random, 5).await;
        assert_eq!(
            Runtime::current().metrics().num_alive_tasks(),
            0,
            "seed {seed}"
        );
    });
}

#[test]
fn stopping_while_stopping_and_draining_while_draining_change_nothing() {
    seeds(200, |seed, mut random| async move {
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let source = from_iter(0u64..)
            .stage()
            .name("source")
            .in_group(&pipeline)
            .spawn();
        let relay = map(|n: u64| n)
            .stage()
            .subscribe_to(demanding(source.subscription(), &mut random, 20))
            .in_group(&pipeline)
            .spawn();
        Shaky::new(&mut random, &failure_plan, 0)
            .stage()
            .subscribe_to(demanding(relay.subscription(), &mut random, 20))
            .in_group(&pipeline)
            .spawn();
        a_while(&mut random, 20).await;
        let drains = random.bool();
        let often = random.usize(1..4);
        if drains {
            let drained = join_all((0..often).map(|_| pipeline.drain(Duration::from_secs(9))));
            let drained = soon(drained).await;
            assert!(
                drained.iter().all(Result::is_ok),
                "seed {seed}: {drained:?}"
            );
            soon(pipeline.drain(Duration::ZERO)).await.unwrap();
            soon(pipeline.join()).await.unwrap();
            failure_plan.check(source.stats().events_out, 0, seed);
        } else {
            for n in 0..often {
                pipeline.stop(format!("stop {n}"));
                source.stop(format!("stop {n} of the source"));
                a_while(&mut random, 2).await;
            }
            soon(pipeline.shutdown()).await;
            assert!(cancelled(soon(pipeline.join()).await).contains("stop 0"));
            failure_plan.check(source.stats().events_out, gone(&pipeline.snapshot()), seed);
            soon(pipeline.drain(Duration::ZERO)).await.unwrap();
        }
        assert_settled(&pipeline);
        a_while(&mut random, 5).await;
        assert_eq!(
            Runtime::current().metrics().num_alive_tasks(),
            0,
            "seed {seed}"
        );
    });
}

#[test]
fn a_drain_past_its_deadline_stops_and_names_what_is_left() {
    seeds(100, |seed, mut random| async move {
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let source = from_iter(0u64..)
            .stage()
            .name("source")
            .in_group(&pipeline)
            .spawn();
        let relay = map(|n: u64| n)
            .stage()
            .name("relay")
            .subscribe_to(demanding(source.subscription(), &mut random, 20))
            .in_group(&pipeline)
            .spawn();
        let (noted, mut left) = (failure_plan.clone(), random.u64(0..50));
        let got_stuck = Arc::<AtomicBool>::default();
        let told = Arc::clone(&got_stuck);
        let stuck = Stuck {
            note: Box::new(move |n| {
                noted.note(n, "handled");
                left = left.saturating_sub(1);
                told.store(left == 0, Relaxed);
                left == 0
            }),
        };
        stuck
            .stage()
            .name("stuck")
            .subscribe_to(demanding(relay.subscription(), &mut random, 20))
            .in_group(&pipeline)
            .spawn();
        while !got_stuck.load(Relaxed) {
            a_while(&mut random, 100).await;
        }
        let deadline = Duration::from_millis(random.u64(0..3_000));
        let before = tokio::time::Instant::now();
        let error = soon(pipeline.drain(deadline)).await.unwrap_err();
        assert!(
            before.elapsed() <= deadline + Duration::from_secs(2),
            "seed {seed}"
        );
        assert_eq!(error.deadline, deadline, "seed {seed}");
        let said = error.to_string();
        let stages: Vec<_> = error.left.iter().map(|left| &*left.stage).collect();
        assert!(stages.contains(&"stuck"), "seed {seed}: {said}");
        assert!(
            error.left.iter().all(|left| !left.running),
            "seed {seed}: {said}"
        );
        let snapshot = pipeline.snapshot();
        assert!(
            snapshot.stages.iter().all(|stage| stage.outcome.is_some()),
            "seed {seed}: {snapshot:#?}"
        );
        failure_plan.check(source.stats().events_out, gone(&snapshot), seed);
        assert_settled(&pipeline);
        assert_eq!(
            Runtime::current().metrics().num_alive_tasks(),
            0,
            "seed {seed}"
        );
    });
}

/// Never comes back from an event that `note` says yes to.
struct Stuck {
    note: Box<dyn FnMut(u64) -> bool + Send>,
}

impl Consumer for Stuck {
    type Event = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        while let Some(n) = events.pop_front() {
            if (self.note)(n) {
                std::future::pending::<()>().await;
            }
        }
        Ok(())
    }
}

#[test]
fn a_stage_that_is_stopped_while_it_waits_to_be_restarted_ends_at_once() {
    seeds(100, |seed, mut random| async move {
        let pipeline = Pipeline::new();
        let (probe, _) = ConsumerProbe::<u64>::new();
        let mut probe = Some(probe.on_call(|_| Ok(())));
        let patient = Restart::on_failure().backoff(Duration::from_secs(99), Duration::MAX);
        let consumer = supervised(move || {
            let another = || ConsumerProbe::new().0;
            probe.take().unwrap_or_else(another)
        });
        let consumer = consumer
            .restart(patient)
            .stage()
            .in_group(&pipeline)
            .spawn();
        a_while(&mut random, 2).await;
        let _ = consumer.call(act(|_| Err("oops".into()))).await;
        a_while(&mut random, 5).await;
        let before = tokio::time::Instant::now();
        match random.u8(0..3) {
            0 => consumer.stop("enough"),
            1 => consumer.abort(),
            _ => pipeline.stop("enough"),
        }
        soon(pipeline.shutdown()).await;
        assert!(before.elapsed() < Duration::from_secs(1), "seed {seed}");
        assert_settled(&pipeline);
    });
}
