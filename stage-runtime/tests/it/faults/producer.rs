//! Producers that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{Call, ConsumerProbe};

use crate::common::failure_plan::{FailurePlan, Shaky};
use crate::common::wiring::{demanding, restarts};
use crate::common::{seeds, soon, word};

/// Counts on from where the one before it failed.
struct Counter {
    next: Arc<AtomicU64>,
    end: u64,
    most: usize,
    shaky: Shaky,
}

impl Producer for Counter {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        assert!(demand <= self.most, "asked for {demand} at a time");
        for _ in 0..demand {
            if self.shaky.stumbles() {
                return self.shaky.stumble();
            }
            if self.next.load(Relaxed) == self.end {
                out.complete();
                break;
            }
            out.push(self.next.fetch_add(1, Relaxed));
        }
        Ok(())
    }
}

/// A consumer that must not notice that its producer was restarted.
struct Unaware {
    shaky: Shaky,
    seed: u64,
}

impl Consumer for Unaware {
    type Event = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        cx: &mut Context<'_>,
    ) -> StageResult {
        self.shaky.handle_events(events, cx).await
    }

    async fn handle_cancel(
        &mut self,
        _producer: &Peer,
        outcome: &Outcome,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        assert_eq!(word(outcome), "completed", "seed {}", self.seed);
        Ok(())
    }
}

#[test]
fn consumers_of_a_supervised_producer_that_fails_never_notice() {
    seeds(200, |seed, mut random| async move {
        let events = random.u64(0..300);
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let consumers = random.usize(1..5);
        let next = Arc::<AtomicU64>::default();
        let (mut fork, noted, counted) = (random.fork(), failure_plan.clone(), Arc::clone(&next));
        let source = supervised(move || Counter {
            next: Arc::clone(&counted),
            end: events,
            most: 30 * consumers,
            shaky: Shaky::new(&mut fork, &noted, 25),
        });
        let source = source
            .restart(restarts(&mut random))
            .stage()
            .in_group(&pipeline)
            .spawn();
        for _ in 0..consumers {
            let shaky = Shaky::new(&mut random, &failure_plan, 0);
            Unaware { shaky, seed }
                .stage()
                .subscribe_to(demanding(source.subscription(), &mut random, 30))
                .in_group(&pipeline)
                .spawn();
        }
        soon(pipeline.join()).await.unwrap();
        failure_plan.check(events, 0, seed);
        for link in &pipeline.snapshot().links {
            assert!(
                link.totals.outstanding() <= link.max_demand,
                "seed {seed}: {link:?}"
            );
        }
        assert_settled(&pipeline);
    });
}

#[test]
fn consumers_of_a_producer_that_fails_for_good_get_what_it_sent_and_its_failure() {
    seeds(100, |seed, mut random| async move {
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let next = Arc::<AtomicU64>::default();
        let (mut fork, noted, counted) = (random.fork(), failure_plan.clone(), Arc::clone(&next));
        let source = supervised(move || Counter {
            next: Arc::clone(&counted),
            end: u64::MAX,
            most: usize::MAX,
            shaky: Shaky::new(&mut fork, &noted, 100),
        });
        // It may fail without the others being stopped for it.
        let source = source
            .restart(Restart::never())
            .stage()
            .in_group(&pipeline)
            .spawn();
        let mut probes = Vec::new();
        for _ in 0..random.usize(1..4) {
            let (probe, calls) = ConsumerProbe::<u64>::new();
            let mode = [
                CancelMode::Permanent,
                CancelMode::Transient,
                CancelMode::Temporary,
            ];
            let terms = demanding(source.subscription(), &mut random, 30);
            let consumer = probe
                .stage()
                .subscribe_to(terms.on_cancel(*random.choice(&mode).unwrap()))
                .in_group(&pipeline)
                .spawn();
            probes.push((consumer, calls));
        }
        assert_eq!(word(&soon(source.outcome()).await), "failed", "seed {seed}");
        for (_, calls) in &mut probes {
            for call in calls.drain().await {
                match call {
                    Call::Events(events) => {
                        events
                            .into_iter()
                            .for_each(|n| failure_plan.note(n, "handled"));
                    }
                    Call::ProducerLeft(_, outcome) | Call::Terminated(outcome) => {
                        assert_eq!(word(&outcome), "failed", "seed {seed}");
                    }
                    _ => {}
                }
            }
        }
        pipeline.stop("enough");
        let _ = soon(pipeline.join()).await;
        let discarded = source.stats().discarded;
        failure_plan.check(next.load(Relaxed), discarded, seed);
        assert_settled(&pipeline);
    });
}
