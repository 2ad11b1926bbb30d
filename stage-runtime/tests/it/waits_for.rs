//! A stage says what it waits for, and `explain` names that.

use std::time::Duration;

use crate::common::soon;
use stage_runtime::explain::Cause;
use stage_runtime::operators::for_each;
use stage_runtime::prelude::*;

/// Emits one event a minute.
struct Limited(u64);

impl Producer for Limited {
    type Event = u64;

    async fn handle_demand(&mut self, _: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        let minute = Duration::from_secs(60);
        if self.0.is_multiple_of(2) {
            out.push(self.0);
            out.again_after(minute);
            out.waits_for("the rate limit", minute);
        } else {
            out.again_after(Duration::from_secs(60));
        }
        self.0 += 1;
        Ok(())
    }
}

/// Without `waits_for` it is called starved.
#[tokio::test(start_paused = true)]
async fn explain_names_what_a_stage_waits_for_until_its_next_call() {
    let pipeline = Pipeline::new();
    let source = Limited(0).stage().name("api").in_group(&pipeline).spawn();
    let sink = for_each(|_: u64| ()).stage().subscribe_to(&source);
    let _sink = sink.in_group(&pipeline).spawn();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let explanation = pipeline.explain(Duration::from_secs(1));
    match explanation.cause() {
        Some(Cause::WaitsFor {
            stage, what, until, ..
        }) => {
            assert_eq!((&*stage.name, &**what), ("api", "the rate limit"));
            assert_eq!(*until, Some(Duration::from_secs(40)));
        }
        other => panic!("{other:?}"),
    }
    let text = explanation.to_string();
    assert!(
        text.starts_with("`api` has waited for the rate limit for 20") && text.contains("40"),
        "{text}"
    );
    // Its next call does not repeat it.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let explanation = pipeline.explain(Duration::from_secs(1));
    assert!(
        matches!(explanation.cause(), Some(Cause::Starved { .. })),
        "{explanation}"
    );
    assert!(pipeline.snapshot().stages[0].waits_for.is_none());
}

/// An open batch: the batcher has asked its producer, whose leases are all in
/// that batch.
#[tokio::test(start_paused = true)]
async fn a_stage_that_gathers_is_the_cause_and_not_its_source() {
    struct Batcher(Vec<u64>);
    impl ProducerConsumer for Batcher {
        type In = u64;
        type Out = Vec<u64>;
        async fn handle_events(
            &mut self,
            events: &mut Batch<u64>,
            out: &mut Emitter<'_, Vec<u64>>,
        ) -> StageResult {
            self.0.extend(events);
            out.wake_after(Duration::from_secs(15));
            out.waits_for("the batch timeout", Duration::from_secs(15));
            Ok(())
        }
        async fn handle_wake(&mut self, out: &mut Emitter<'_, Vec<u64>>) -> StageResult {
            out.push(std::mem::take(&mut self.0));
            Ok(())
        }
        fn held(&self) -> usize {
            self.0.len()
        }
    }
    let pipeline = Pipeline::new();
    let (probe, mut above) = stage_test::probe::ProducerProbe::<u64>::silent();
    let source = probe.stage().name("leases").in_group(&pipeline).spawn();
    let batcher = Batcher(Vec::new()).stage().name("batcher");
    let batcher = batcher.subscribe_to(&source).in_group(&pipeline).spawn();
    let (probe, mut below) = stage_test::probe::ConsumerProbe::<Vec<u64>>::new();
    let _sink = probe
        .stage()
        .subscribe_to(&batcher)
        .in_group(&pipeline)
        .spawn();
    above.demand().await;
    soon(source.call(stage_test::probe::emit(0..5)))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    match pipeline.explain(Duration::from_secs(1)).cause() {
        Some(Cause::WaitsFor { stage, held: 5, .. }) => assert_eq!(&*stage.name, "batcher"),
        other => panic!("{other:?}"),
    }
    assert_eq!(below.events().await, [[0, 1, 2, 3, 4]]);
    assert_eq!(batcher.stats().held, 0);
    // Its handler gave no command at all.
    assert!(pipeline.snapshot().stages[1].waits_for.is_none());
}
