//! Partitions without an owner, with another one, or that do not exist; user
//! code in dispatchers that panics.

use std::time::Duration;

use stage_runtime::operators::{for_each, from_iter};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};

use crate::common::failure_plan::{FailurePlan, Shaky};
use crate::common::wiring::{a_while, demanding, restarts};
use crate::common::{seeds, soon};

#[test]
fn a_partition_without_a_consumer_parks_up_to_its_bound_and_is_named() {
    seeds(100, |seed, mut random| async move {
        let parts = random.u64(2..6);
        let absent = random.u64(0..parts);
        let bound = random.usize(1..20);
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let dispatcher =
            Partition::by_index(parts as usize, move |n: &u64| Some((*n % parts) as usize));
        let source = from_iter(0u64..)
            .stage()
            .dispatcher(dispatcher.unwrap().queue_bound(bound))
            .in_group(&pipeline)
            .spawn();
        for part in (0..parts).filter(|part| *part != absent) {
            Shaky::new(&mut random, &failure_plan, 0)
                .stage()
                .subscribe_to(demanding(source.partition(part as usize), &mut random, 30))
                .in_group(&pipeline)
                .spawn();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let snapshot = pipeline.snapshot();
        let stage = &snapshot.stages[0];
        let bottleneck = stage.bottleneck.as_ref().expect("a bottleneck");
        assert_eq!(bottleneck.link, None, "seed {seed}");
        assert_eq!(
            bottleneck.part.as_deref(),
            Some(&*format!("partition {absent}")),
            "seed {seed}"
        );
        assert_eq!(bottleneck.held, bound as u64, "seed {seed}");
        let least = (bound as u64 - 1) * (parts - 1);
        assert!(
            failure_plan.count("handled") >= least,
            "seed {seed}: {stage:?}"
        );
        assert_settled(&pipeline);

        let late = Shaky::new(&mut random, &failure_plan, 0)
            .stage()
            .subscribe_to(source.partition(absent as usize))
            .in_group(&pipeline)
            .spawn();
        a_while(&mut random, 100).await;
        soon(pipeline.drain(Duration::from_secs(5))).await.unwrap();
        assert!(late.stats().events_in >= bound as u64, "seed {seed}");
        let stats = source.stats();
        failure_plan.check(stats.events_out, 0, seed);
        assert_settled(&pipeline);
    });
}

#[test]
fn a_hash_out_of_range_is_a_typed_error_for_its_event_and_a_dead_letter() {
    seeds(100, |seed, mut random| async move {
        let events = random.u64(0..300);
        let parts = random.usize(1..5);
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        // One in nine has no partition; one in ten of the rest is for nobody.
        let hash = move |n: &u64| match n % 90 {
            n if n % 9 == 4 => Some(1_000),
            n if n % 10 == 7 => None,
            n => Some(n as usize % parts),
        };
        let noted = failure_plan.clone();
        let source = from_iter(0..events)
            .stage()
            .name("source")
            .dispatcher(Partition::by_index(parts, hash).unwrap())
            .rejected(move |letter| {
                assert_eq!((letter.events.len(), letter.lost), (1, 0), "seed {seed}");
                assert_eq!(&*letter.stage, "source");
                let said = letter.failure.to_string();
                assert!(said.contains("1000"), "seed {seed}: {said}");
                noted.note(letter.events[0], "rejected");
                // What becomes of it is the hook's business.
                assert!(letter.events[0] % 2 == 0, "the hook may panic");
            })
            .in_group(&pipeline)
            .spawn();
        for part in 0..parts {
            Shaky::new(&mut random, &failure_plan, 0)
                .stage()
                .subscribe_to(demanding(source.partition(part), &mut random, 30))
                .in_group(&pipeline)
                .spawn();
        }
        soon(pipeline.join()).await.unwrap();
        let stats = source.stats();
        assert_eq!(
            stats.rejected,
            failure_plan.count("rejected"),
            "seed {seed}"
        );
        let out_of_range = (0..events).filter(|n| (n % 90) % 9 == 4).count();
        assert_eq!(stats.rejected, out_of_range as u64, "seed {seed}");
        failure_plan.check(events, stats.discarded, seed);
        assert_settled(&pipeline);
    });
}

#[test]
fn a_hash_that_panics_costs_that_event_and_nothing_else() {
    seeds(100, |seed, mut random| async move {
        let parts = random.usize(1..4);
        let every = random.u64(2..50);
        let events = random.u64(1..400);
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let hash = move |n: &u64| {
            assert!(!n.is_multiple_of(every), "stumbled");
            Some(*n as usize % parts)
        };
        let rejected = failure_plan.clone();
        let source = from_iter(0..events)
            .stage()
            .dispatcher(Partition::by_index(parts, hash).unwrap())
            .rejected(move |letter| rejected.note(letter.events[0], "rejected"))
            .gate(Gate::Closed)
            .in_group(&pipeline)
            .spawn();
        for part in 0..parts {
            let terms = demanding(source.partition(part), &mut random, 30);
            let handled = failure_plan.clone();
            for_each(move |n: u64| handled.note(n, "handled"))
                .stage()
                .subscribe_to(terms)
                .in_group(&pipeline)
                .spawn();
        }
        source.set_gate(Gate::Open);
        soon(pipeline.join()).await.unwrap();
        assert_eq!(
            failure_plan.count("rejected"),
            events.div_ceil(every),
            "seed {seed}"
        );
        assert_eq!(
            source.stats().rejected,
            events.div_ceil(every),
            "seed {seed}"
        );
        failure_plan.check(events, 0, seed);
        assert_settled(&pipeline);
    });
}

/// Owners follow each other, by failing, by being stopped or by leaving; a
/// supervised one stays the owner all the time.
#[test]
fn a_partition_that_changes_hands_keeps_its_order_and_has_one_owner() {
    seeds(200, |seed, mut random| async move {
        let (probe, mut above) = ProducerProbe::<u64>::silent();
        let dispatcher = Partition::by_index(2, |n: &u64| Some((*n % 2) as usize));
        let pipeline = Pipeline::new();
        let source = probe
            .stage()
            .dispatcher(dispatcher.unwrap())
            .in_group(&pipeline)
            .spawn();
        let even = FailurePlan::default();
        Shaky::new(&mut random, &even, 0)
            .stage()
            .subscribe_to(source.partition(0))
            .in_group(&pipeline)
            .spawn();
        above.demand().await;
        let order = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut next = 0;
        for _ in 0..random.usize(1..6) {
            let seen = std::sync::Arc::clone(&order);
            let (mut fork, policy) = (random.fork(), random.bool());
            let policy = if policy {
                restarts(&mut random)
            } else {
                Restart::never()
            };
            // Holds its events, so that a failure loses none.
            let owner = supervised(move || Holder {
                random: fork.fork(),
                seen: std::sync::Arc::clone(&seen),
            });
            let owner = owner
                .restart(policy)
                .stage()
                .subscribe_to(demanding(source.partition(1), &mut random, 9))
                .in_group(&pipeline)
                .spawn();
            for _ in 0..random.usize(1..4) {
                let some = random.u64(1..20);
                soon(source.call(emit(next..next + some))).await.unwrap();
                next += some;
                a_while(&mut random, 20).await;
            }
            if random.bool() {
                owner.stop("next");
            } else {
                owner.abort();
            }
            soon(owner.outcome()).await;
            above.consumer_left().await;
        }
        let last = ConsumerProbe::<u64>::new();
        let mut calls = last.1;
        last.0
            .stage()
            .subscribe_to(source.partition(1))
            .in_group(&pipeline)
            .spawn();
        let odd: Vec<u64> = (0..next).filter(|n| n % 2 == 1).collect();
        let mut got = order.lock().unwrap().clone();
        got.extend(calls.gather(odd.len() - got.len()).await);
        assert_eq!(got, odd, "seed {seed}");
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_settled(&pipeline);
        soon(pipeline.shutdown()).await;
        assert_settled(&pipeline);
    });
}

/// Notes events in the order in which it handles them; fails now and then.
struct Holder {
    random: fastrand::Rng,
    seen: std::sync::Arc<std::sync::Mutex<Vec<u64>>>,
}

impl Consumer for Holder {
    type Event = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        while let Some(&n) = events.peek() {
            match self.random.u8(0..12) {
                0 => panic!("stumbled"),
                1 => return Err("stumbled".into()),
                2 => tokio::task::yield_now().await,
                _ => {}
            }
            self.seen.lock().map_err(|_| "poisoned")?.push(n);
            events.advance(1);
        }
        Ok(())
    }
}
