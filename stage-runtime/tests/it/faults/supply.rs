//! Producers that emit more or less than they were asked for.

use std::time::Duration;

use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{Call, ConsumerProbe, ProducerProbe, emit};

use crate::common::failure_plan::{FailurePlan, Shaky};
use crate::common::wiring::demanding;
use crate::common::{seeds, soon};

#[test]
fn a_producer_that_emits_more_than_asked_discards_by_its_policy_and_counts_it() {
    seeds(200, |seed, mut random| async move {
        let pipeline = Pipeline::new();
        let bound = random.usize(0..20);
        let keep = if random.bool() {
            Overflow::DropNewest
        } else {
            Overflow::DropOldest
        };
        let (probe, _) = ProducerProbe::<u64>::silent();
        let source = probe
            .stage()
            .buffer_size(bound)
            .on_overflow(keep)
            .in_group(&pipeline)
            .spawn();
        let (probe, mut calls) = ConsumerProbe::manual();
        let consumer = probe
            .stage()
            .subscribe_to(&source)
            .in_group(&pipeline)
            .spawn();
        let link = calls.producer_joined().await.subscription;
        // What is to come of it, by the rules.
        let (mut buffer, mut asked, mut sent) = (std::collections::VecDeque::new(), 0, Vec::new());
        let (mut next, mut discarded) = (0u64, 0u64);
        for _ in 0..random.usize(1..20) {
            if random.bool() {
                let demand = random.usize(1..15);
                consumer.ask(link, demand);
                asked += demand;
                // So that the ask comes before what is emitted next.
                tokio::time::sleep(Duration::from_millis(1)).await;
            } else {
                let burst = random.u64(1..30);
                soon(source.call(emit(next..next + burst))).await.unwrap();
                for n in next..next + burst {
                    if buffer.is_empty() && asked > 0 {
                        asked -= 1;
                        sent.push(n);
                    } else {
                        buffer.push_back(n);
                    }
                }
                next += burst;
                let excess = buffer.len().saturating_sub(bound);
                discarded += excess as u64;
                match keep {
                    Overflow::DropNewest => buffer.truncate(bound),
                    _ => drop(buffer.drain(..excess)),
                }
            }
            while asked > 0
                && let Some(n) = buffer.pop_front()
            {
                asked -= 1;
                sent.push(n);
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut got = Vec::new();
        for call in calls.drain().await {
            if let Call::Events(events) = call {
                got.extend(events);
            }
        }
        assert_eq!(got, sent, "seed {seed}");
        let stats = source.stats();
        assert_eq!(
            (stats.discarded, stats.buffered),
            (discarded, buffer.len() as u64),
            "seed {seed}"
        );
        assert_settled(&pipeline);
        soon(pipeline.shutdown()).await;
        let stats = source.stats();
        assert_eq!(
            (stats.discarded, stats.buffered),
            (discarded + buffer.len() as u64, 0),
            "seed {seed}"
        );
        assert_settled(&pipeline);
    });
}

/// Emits less than it is asked for, and is called again in one of the ways
/// there are.
struct Stingy {
    next: u64,
    end: u64,
    random: fastrand::Rng,
}

impl Producer for Stingy {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        let some = self.random.u64(0..=demand as u64).min(self.end - self.next);
        out.extend(self.next..self.next + some);
        self.next += some;
        if self.next == self.end {
            out.complete();
        } else {
            match self.random.u8(0..3) {
                0 => out.again(),
                1 => out.again_after(Duration::from_millis(self.random.u64(0..50))),
                _ => {
                    let waker = out.waker().clone();
                    tokio::spawn(async move {
                        tokio::task::yield_now().await;
                        waker.wake();
                    });
                }
            }
        }
        Ok(())
    }
}

#[test]
fn a_producer_that_emits_less_than_asked_owes_the_rest_until_it_has_it() {
    seeds(200, |seed, mut random| async move {
        let events = random.u64(0..300);
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let stingy = Stingy {
            next: 0,
            end: events,
            random: random.fork(),
        };
        let source = stingy.stage().in_group(&pipeline).spawn();
        for _ in 0..random.usize(1..4) {
            Shaky::new(&mut random, &failure_plan, 0)
                .stage()
                .subscribe_to(demanding(source.subscription(), &mut random, 30))
                .in_group(&pipeline)
                .spawn();
        }
        soon(pipeline.join()).await.unwrap();
        failure_plan.check(events, 0, seed);
        assert_settled(&pipeline);
    });
}

/// At rest, what the consumers have asked for is what the producer owes.
#[test]
fn at_rest_no_demand_is_stuck() {
    seeds(100, |seed, mut random| async move {
        let pipeline = Pipeline::new();
        let (probe, _) = ProducerProbe::<u64>::silent();
        let source = probe.stage().in_group(&pipeline).spawn();
        for _ in 0..random.usize(1..5) {
            let (probe, _) = ConsumerProbe::new();
            probe
                .stage()
                .subscribe_to(demanding(source.subscription(), &mut random, 30))
                .in_group(&pipeline)
                .spawn();
        }
        for _ in 0..random.usize(1..10) {
            let some = random.u64(1..40);
            soon(source.call(emit(0..some))).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
            let links = pipeline.snapshot().links;
            let outstanding: u64 = links.iter().map(|link| link.totals.outstanding()).sum();
            let stats = source.stats();
            assert_eq!(outstanding, stats.unmet, "seed {seed}");
            assert_eq!(stats.buffered, 0, "seed {seed}");
        }
        assert_settled(&pipeline);
        soon(pipeline.shutdown()).await;
        assert_settled(&pipeline);
    });
}
