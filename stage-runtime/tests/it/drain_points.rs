//! Draining small random pipelines at ten thousand random moments: each comes
//! to its end, nothing is lost, and no task is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::common::failure_plan::{FailurePlan, Shaky};
use crate::common::shaky::{Relay, Source};
use crate::common::wiring::{a_while, demanding, gone, restarts};
use crate::common::{seeds, seeds_on_threads, soon};
use fastrand::Rng;
use futures::future::join_all;
use stage_runtime::RestartStrategy;
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use tokio::runtime::Handle as Runtime;

/// What the stages of one pipeline share.
struct Build {
    random: Rng,
    failure_plan: FailurePlan,
    next: Arc<AtomicU64>,
    pipeline: Pipeline,
    group: stage_runtime::Group,
    one_in: u64,
}

impl Build {
    fn new(mut random: Rng) -> Self {
        let pipeline = Pipeline::new();
        let strategies = [
            RestartStrategy::OneForOne,
            RestartStrategy::OneForAll,
            RestartStrategy::RestForOne,
        ];
        let mut group = pipeline.group(*random.choice(&strategies).unwrap());
        if random.bool() {
            group = group.co_located();
        }
        Self {
            one_in: *random.choice(&[0, 10, 30, 100]).unwrap(),
            failure_plan: FailurePlan::default(),
            next: Arc::default(),
            group,
            pipeline,
            random,
        }
    }

    fn shaky(&mut self) -> impl FnMut() -> Shaky + Send + use<> {
        let (mut fork, failure_plan, one_in) =
            (self.random.fork(), self.failure_plan.clone(), self.one_in);
        move || Shaky::new(&mut fork, &failure_plan, one_in)
    }

    fn source(&mut self) -> stage_runtime::builder::Supervised<Source> {
        let (mut shaky, next) = (self.shaky(), Arc::clone(&self.next));
        let left = *self.random.choice(&[0, 3, 50, 1_000]).unwrap();
        let left = Arc::new(AtomicU64::new(left));
        let slow = self.random.bool();
        supervised(move || Source {
            next: Arc::clone(&next),
            left: Arc::clone(&left),
            shaky: shaky(),
            slow,
        })
        .restart(restarts(&mut self.random))
    }

    fn relay(&mut self) -> stage_runtime::builder::Supervised<Relay> {
        let mut shaky = self.shaky();
        let slow = self.random.bool();
        supervised(move || Relay {
            shaky: shaky(),
            slow,
        })
        .restart(restarts(&mut self.random))
    }

    fn sink(&mut self) -> stage_runtime::builder::ConsumerBuilder<Shaky> {
        let shaky = self.shaky();
        supervised(shaky)
            .restart(restarts(&mut self.random))
            .stage()
    }

    fn terms(&mut self, subscription: Subscription<u64>) -> Subscription<u64> {
        demanding(subscription, &mut self.random, 12)
    }

    /// One or two sources, one or two relays, one or two sinks, everybody
    /// linked with everybody below.
    fn fan_in_and_out(&mut self) {
        let group = self.group.clone();
        let sources: Vec<_> = (0..self.random.usize(1..3))
            .map(|_| self.source().stage().in_group(&group).spawn())
            .collect();
        let relays: Vec<_> = (0..self.random.usize(0..3))
            .map(|_| {
                let mut relay = self.relay().stage();
                for source in &sources {
                    relay = relay.subscribe_to(self.terms(source.subscription()));
                }
                relay.in_group(&group).spawn()
            })
            .collect();
        for _ in 0..self.random.usize(1..3) {
            let mut sink = self.sink();
            for relay in &relays {
                sink = sink.subscribe_to(self.terms(relay.subscription()));
            }
            for source in sources.iter().filter(|_| relays.is_empty()) {
                sink = sink.subscribe_to(self.terms(source.subscription()));
            }
            sink.in_group(&group).spawn();
        }
    }

    /// A source, a relay that may be left out, a sink for each partition.
    fn partitions(&mut self) {
        let group = self.group.clone();
        let count = self.random.usize(1..4);
        let bound = self.random.usize(1..9);
        let parts = Partition::by_index(count, move |n: &u64| Some(*n as usize % count));
        let parts = parts.unwrap().queue_bound(bound);
        if self.random.bool() {
            let source = self
                .source()
                .stage()
                .dispatcher(parts)
                .in_group(&group)
                .spawn();
            for part in 0..count {
                let terms = self.terms(source.partition(part));
                self.sink().subscribe_to(terms).in_group(&group).spawn();
            }
        } else {
            let source = self.source().stage().in_group(&group).spawn();
            let terms = self.terms(source.subscription());
            let relay = self.relay().stage().dispatcher(parts).subscribe_to(terms);
            let relay = relay.in_group(&group).spawn();
            for part in 0..count {
                let terms = self.terms(relay.partition(part));
                self.sink().subscribe_to(terms).in_group(&group).spawn();
            }
        }
    }

    /// Drains at one of the moments there are.
    async fn drain(&mut self, seed: u64) {
        match self.random.u8(0..5) {
            // Before the first event.
            0 => {}
            // In the midst of a wait before a restart.
            1 => tokio::time::sleep(Duration::from_millis(self.random.u64(0..20))).await,
            _ => a_while(&mut self.random, 40).await,
        }
        // A source that fails at every fifth event or so still comes to its end
        // some time: it takes nothing in.
        let deadline = Duration::from_secs(600);
        let drains = self.random.usize(1..4);
        let drained = if self.random.bool() {
            join_all((0..drains).map(|_| self.pipeline.drain(deadline))).await
        } else {
            let mut drained = Vec::new();
            for _ in 0..drains {
                drained.push(self.pipeline.drain(deadline).await);
            }
            drained
        };
        for drained in drained {
            if let Err(error) = drained {
                panic!("seed {seed}: {error}: {:#?}", self.pipeline.snapshot());
            }
        }
    }

    async fn check(&mut self, seed: u64) {
        soon(self.pipeline.join()).await.unwrap();
        assert_settled(&self.pipeline);
        let snapshot = self.pipeline.snapshot();
        assert!(
            snapshot.stages.iter().all(|stage| stage.outcome.is_some()),
            "seed {seed}: {snapshot:#?}"
        );
        assert_eq!(gone(&snapshot), 0, "seed {seed}: {snapshot:#?}");
        // On other threads tasks still return when their outcome is known.
        let metrics = Runtime::current().metrics();
        while metrics.num_workers() > 1 && metrics.num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(metrics.num_alive_tasks(), 0, "seed {seed}");
    }
}

#[test]
fn a_pipeline_drains_at_any_moment_and_loses_nothing() {
    seeds(7_000, drained_once);
}

/// The same where stages and drains run at once; not counted among the ten
/// thousand.
#[test]
fn a_pipeline_on_two_threads_drains_at_any_moment_and_loses_nothing() {
    seeds_on_threads(300, drained_once);
}

async fn drained_once(seed: u64, random: Rng) {
    let mut build = Build::new(random);
    match build.random.u8(0..2) {
        0 => build.fan_in_and_out(),
        _ => build.partitions(),
    }
    build.drain(seed).await;
    build.check(seed).await;
    build.failure_plan.check(build.next.load(Relaxed), 0, seed);
}

/// Every subscriber of a broadcast has every event, but those that it lost
/// itself.
#[test]
fn a_broadcast_drains_at_any_moment_and_everyone_has_everything() {
    seeds(3_000, |seed, random| async move {
        let mut build = Build::new(random);
        let group = build.group.clone();
        let source = build
            .source()
            .stage()
            .dispatcher(Broadcast::new())
            // No subscriber is to miss the first events.
            .gate(Gate::Closed)
            .in_group(&group)
            .spawn();
        let mut all = Vec::new();
        for _ in 0..build.random.usize(1..4) {
            // Each of them notes for itself.
            build.failure_plan = FailurePlan::default();
            all.push(build.failure_plan.clone());
            let terms = build.terms(source.subscription());
            if build.random.bool() {
                let relay = build
                    .relay()
                    .stage()
                    .subscribe_to(terms)
                    .in_group(&group)
                    .spawn();
                let terms = build.terms(relay.subscription());
                build.sink().subscribe_to(terms).in_group(&group).spawn();
            } else {
                build.sink().subscribe_to(terms).in_group(&group).spawn();
            }
        }
        if build.random.bool() {
            source.set_gate(Gate::Open);
        }
        build.drain(seed).await;
        build.check(seed).await;
        for failure_plan in all {
            failure_plan.check(build.next.load(Relaxed), 0, seed);
        }
    });
}
