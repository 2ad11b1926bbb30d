//! Demand and options at the edge of what there is.

use stage_runtime::operators::{for_each, from_iter, map};
use stage_runtime::prelude::*;
use stage_runtime::{SpawnError, StageStats};
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};

use crate::common::memory::resident;
use crate::common::wiring::a_while;
use crate::common::{pending, seeds, soon};

/// 2^64 - 1 is asked for again and again, by all there are.
#[test]
fn demand_saturates_and_every_event_arrives() {
    seeds(100, |seed, mut random| async move {
        let pipeline = Pipeline::new();
        let (probe, _) = ProducerProbe::<u64>::silent();
        let source = probe.stage().in_group(&pipeline).spawn();
        let mut all = Vec::new();
        for _ in 0..random.usize(1..4) {
            let (probe, mut calls) = ConsumerProbe::manual();
            let terms = source.subscription().max_demand(random.usize(1..100));
            let consumer = probe
                .stage()
                .subscribe_to(terms)
                .in_group(&pipeline)
                .spawn();
            let link = calls.producer_joined().await.subscription;
            for _ in 0..random.usize(1..10) {
                let near = usize::MAX - random.usize(0..3);
                consumer.ask(link, *random.choice(&[near, usize::MAX, 1]).unwrap());
                a_while(&mut random, 2).await;
            }
            consumer.ask(link, usize::MAX);
            all.push((consumer, calls));
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        let events = random.u64(1..300);
        soon(source.call(emit(0..events))).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        let handled: u64 = all.iter().map(|(it, _)| it.stats().events_in).sum();
        assert_eq!(handled, events, "seed {seed}");
        let StageStats {
            buffered,
            discarded,
            ..
        } = source.stats();
        assert_eq!((buffered, discarded), (0, 0), "seed {seed}");
        assert_settled(&pipeline);
        soon(pipeline.shutdown()).await;
        assert_settled(&pipeline);
    });
}

#[test]
fn a_huge_max_demand_allocates_nothing_by_its_size() {
    let before = resident();
    seeds(100, |seed, mut random| async move {
        let pipeline = Pipeline::new();
        let max = usize::MAX - random.usize(0..1_000);
        let min = *random.choice(&[0, max / 2, max - 1]).unwrap();
        let (probe, _) = ProducerProbe::silent();
        let source = probe.stage().in_group(&pipeline).spawn();
        let relay = map(|n: u64| n)
            .stage()
            .subscribe_to(source.subscription().max_demand(max).min_demand(min))
            .in_group(&pipeline)
            .spawn();
        let (probe, mut calls) = ConsumerProbe::new();
        probe
            .stage()
            .subscribe_to(relay.subscription().max_demand(max).min_demand(min))
            .in_group(&pipeline)
            .spawn();
        calls.producer_joined().await;
        let events = random.usize(1..100);
        soon(source.call(emit(0..events as u64))).await.unwrap();
        assert_eq!(calls.gather(events).await.len(), events, "seed {seed}");
        soon(pipeline.shutdown()).await;
        assert_settled(&pipeline);
    });
    let grown = resident().saturating_sub(before);
    assert!(grown < 200 << 20, "{grown} bytes more");
}

#[test]
fn limits_that_cannot_work_are_refused_with_their_value_and_range() {
    seeds(100, |seed, mut random| async move {
        let pipeline = Pipeline::new();
        let source = from_iter(0u64..)
            .stage()
            .name("source")
            .in_group(&pipeline)
            .spawn();
        let max = random.usize(0..20);
        let min = max + random.usize(0..20);
        let refused = for_each(|_: u64| ())
            .stage()
            .name("sink")
            .subscribe_to(source.subscription().max_demand(max).min_demand(min))
            .in_group(&pipeline)
            .try_spawn();
        let said = match refused {
            Err(error @ SpawnError::Subscription { .. }) => error.to_string(),
            other => panic!("seed {seed}: {other:?}"),
        };
        let (value, range) = if max == 0 {
            ("max_demand is 0".to_owned(), "at least 1".to_owned())
        } else {
            (format!("is {min}"), format!("0..={}", max - 1))
        };
        assert!(
            said.contains("`sink`") && said.contains(&value) && said.contains(&range),
            "seed {seed}: {said}"
        );

        // The name was not taken by the one that was refused.
        let sink = for_each(|_: u64| ()).stage().name("sink");
        let sink = sink.in_group(&pipeline).try_spawn().expect("seed");
        let taken = for_each(|_: u64| ())
            .stage()
            .name("sink")
            .in_group(&pipeline)
            .try_spawn();
        match taken {
            Err(error @ SpawnError::NameTaken { .. }) => {
                assert!(error.to_string().contains("`sink`"), "seed {seed}");
            }
            other => panic!("seed {seed}: {other:?}"),
        }
        pending(sink.outcome()).await;
        // Spawned all the same, it fails and takes the pipeline down.
        let twice = for_each(|_: u64| ())
            .stage()
            .name("sink")
            .in_group(&pipeline)
            .spawn();
        let failure = crate::common::failure(soon(twice.join()).await);
        assert!(
            failure.to_string().contains("of that name"),
            "seed {seed}: {failure}"
        );
        let joined = soon(pipeline.join()).await.unwrap_err().to_string();
        assert!(joined.contains("of that name"), "seed {seed}: {joined}");
        assert_settled(&pipeline);
    });
}

#[test]
fn partitions_that_cannot_work_are_refused_when_built() {
    assert!(Partition::<u64>::new(0).is_err());
    let mut random = fastrand::Rng::with_seed(0);
    for _ in 0..100 {
        let twice = random.usize(0..9);
        let names = (0..random.usize(9..20)).chain([twice]);
        let error = Partition::by_name(names, |_: &u64| Some(0)).unwrap_err();
        assert!(error.to_string().contains(&twice.to_string()), "{error}");
    }
}

#[test]
fn a_stage_that_subscribes_to_itself_is_refused() {
    seeds(100, |seed, mut random| async move {
        let pipeline = Pipeline::new();
        let relay = map(|n: u64| n)
            .stage()
            .name("loop")
            .in_group(&pipeline)
            .spawn();
        a_while(&mut random, 3).await;
        let terms = relay.subscription().max_demand(random.usize(1..9));
        let refused = soon(relay.subscribe(terms)).await.unwrap_err().to_string();
        assert!(
            refused.contains("`loop`") && refused.contains("itself"),
            "seed {seed}: {refused}"
        );
        pending(relay.outcome()).await;
        assert_settled(&pipeline);
        soon(pipeline.shutdown()).await;
        assert_settled(&pipeline);
    });
}
