//! Runtimes that go away while stages run on them.

use stage_runtime::operators::from_iter;
use stage_runtime::prelude::*;
use stage_test::assert_settled;

use super::dropped::Relay;
use crate::common::failure_plan::{FailurePlan, Shaky};
use crate::common::wiring::{a_while, demanding, gone};

/// Spawns what the next two tests shut down.
async fn three_stages(failure_plan: &FailurePlan, mut random: fastrand::Rng) -> Pipeline {
    let pipeline = Pipeline::new();
    let source = from_iter(0u64..).stage().in_group(&pipeline).spawn();
    let mut sink = Shaky::new(&mut random, failure_plan, 0).stage();
    for _ in 0..random.usize(1..3) {
        let relay = Relay
            .stage()
            .subscribe_to(demanding(source.subscription(), &mut random, 30))
            .in_group(&pipeline)
            .spawn();
        sink = sink.subscribe_to(demanding(relay.subscription(), &mut random, 30));
    }
    sink.in_group(&pipeline).spawn();
    a_while(&mut random, 30).await;
    pipeline
}

fn after_its_runtime(pipeline: &Pipeline, failure_plan: &FailurePlan, seed: u64) {
    let snapshot = pipeline.snapshot();
    assert!(
        snapshot.stages.iter().all(|stage| stage.outcome.is_some()),
        "seed {seed}: {snapshot:#?}"
    );
    assert_settled(pipeline);
    let emitted = snapshot.stages[0].stats.events_out;
    failure_plan.check(emitted, gone(&snapshot), seed);
}

#[test]
fn a_single_threaded_runtime_may_go_away_at_any_moment() {
    // The outer runtime is not the one that goes away.
    for seed in 0..200 {
        let failure_plan = FailurePlan::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let random = fastrand::Rng::with_seed(seed);
        let pipeline = runtime.block_on(three_stages(&failure_plan, random));
        drop(runtime);
        after_its_runtime(&pipeline, &failure_plan, seed);
    }
}

#[test]
fn a_multi_threaded_runtime_may_go_away_at_any_moment() {
    for seed in 0..200 {
        let failure_plan = FailurePlan::default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .unwrap();
        let random = fastrand::Rng::with_seed(seed);
        let pipeline = runtime.block_on(three_stages(&failure_plan, random));
        drop(runtime);
        after_its_runtime(&pipeline, &failure_plan, seed);
    }
}
