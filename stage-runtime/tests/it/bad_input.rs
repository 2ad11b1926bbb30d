//! Bad input ends in a typed error that names the value and the remedy.

use crate::common::{fail, failure, pending, soon};
use stage_core::{DemandError, SubscribeError};
use stage_dispatchers::PartitionError;
use stage_runtime::operators::{for_each, from_iter, map};
use stage_runtime::prelude::*;
use stage_runtime::{ConsumerHandle, ProducerHandle};
use stage_runtime::{Error, SpawnError};
use stage_test::probe::{ConsumerProbe, ProducerProbe, RelayProbe, act, emit};

fn source() -> ProducerHandle<ProducerProbe<u64>> {
    ProducerProbe::silent().0.stage().name("source").spawn()
}

fn consumer() -> ConsumerHandle<ConsumerProbe<u64>> {
    ConsumerProbe::new().0.stage().name("consumer").spawn()
}

fn says(error: impl std::fmt::Display, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
}

/// GS133 GS203
#[tokio::test(start_paused = true)]
async fn limits_that_cannot_work_are_refused_wherever_they_are_given() {
    let source = source();
    let cases = [
        (
            0,
            None,
            DemandError::ZeroMax,
            vec!["source", "max_demand is 0", "at least 1"],
        ),
        (
            10,
            Some(10),
            DemandError::MinNotBelowMax { min: 10, max: 10 },
            vec!["source", "min_demand is 10", "is 10", "0..=9"],
        ),
        (
            1,
            Some(2000),
            DemandError::MinNotBelowMax { min: 2000, max: 1 },
            vec!["min_demand is 2000", "is 1", "0..=0"],
        ),
    ];
    for (max, min, expected, words) in cases {
        let terms = || {
            let terms = source.subscription().max_demand(max);
            match min {
                Some(min) => terms.min_demand(min),
                None => terms,
            }
        };
        let check = |error: SubscribeError| {
            says(&error, &words);
            match error {
                SubscribeError::Demand { error, .. } => assert_eq!(error, expected),
                other => panic!("{other:?}"),
            }
        };
        let running = consumer();
        check(soon(running.subscribe(terms())).await.unwrap_err());
        check(terms().into_stream().map(|_| ()).unwrap_err());
        pending(running.outcome()).await;

        match ConsumerProbe::<u64>::new()
            .0
            .stage()
            .name("c")
            .subscribe_to(terms())
            .try_spawn()
        {
            Err(error @ SpawnError::Subscription { .. }) => says(&error, &["`c`", words[0]]),
            other => panic!("{other:?}"),
        }
        let relay = RelayProbe::<u64, u64>::new(|_, _| Ok(()))
            .0
            .stage()
            .subscribe_to(terms());
        assert!(matches!(
            relay.try_spawn(),
            Err(SpawnError::Subscription { .. })
        ));

        let spawned = ConsumerProbe::<u64>::new()
            .0
            .stage()
            .name("c")
            .subscribe_to(terms())
            .spawn();
        let failure = failure(soon(spawned.join()).await);
        says(&failure, &words);
        assert_eq!(failure.stage(), "c");
    }
}

/// GS133, for `min_demand` alone.
#[tokio::test(start_paused = true)]
async fn a_min_demand_is_held_against_the_default_max_demand() {
    let source = source();
    let refused = soon(consumer().subscribe(source.subscription().min_demand(2000)))
        .await
        .unwrap_err();
    says(&refused, &["2000", "1000", "0..=999"]);
    soon(consumer().subscribe(source.subscription().min_demand(999)))
        .await
        .unwrap();
}

/// GS085 GS088
#[tokio::test(start_paused = true)]
async fn a_partition_is_refused_when_it_is_unknown_or_taken() {
    let parts = Partition::by_index(2, |n: &u64| Some(*n as usize)).unwrap();
    let source = ProducerProbe::<u64>::silent()
        .0
        .stage()
        .dispatcher(parts)
        .spawn();
    let (one, two) = (consumer(), consumer());
    let unknown = soon(one.subscribe(source.partition(7))).await.unwrap_err();
    assert!(matches!(unknown, SubscribeError::UnknownPartition { .. }));
    says(&unknown, &["partition 7", "0, 1"]);

    let id = soon(one.subscribe(source.partition(1))).await.unwrap();
    let taken = soon(two.subscribe(source.partition(1))).await.unwrap_err();
    assert!(matches!(taken, SubscribeError::PartitionTaken { owner, .. } if owner == id));
    says(&taken, &["partition 1", &id.to_string(), "cancel"]);
    pending(two.outcome()).await;
    soon(two.subscribe(source.partition(0))).await.unwrap();

    let built = ConsumerProbe::new()
        .0
        .stage()
        .subscribe_to(source.partition(0))
        .spawn();
    says(failure(soon(built.join()).await), &["partition 0"]);
    pending(source.outcome()).await;
}

#[tokio::test(start_paused = true)]
async fn a_partition_dispatcher_needs_partitions_that_can_be_told_apart() {
    assert_eq!(
        Partition::<u64>::new(0).unwrap_err(),
        PartitionError::NoPartitions
    );
    let twice = Partition::by_name(["a", "a"], |_: &u64| Some("a")).unwrap_err();
    says(&twice, &["\"a\"", "once"]);
    let error: Error = twice.into();
    says(&error, &["\"a\""]);
}

/// GS135, where the consumer of a permanent subscription exits; here whoever
/// subscribed it is told, and it lives.
#[tokio::test(start_paused = true)]
async fn an_ended_producer_refuses_and_says_how_it_ended() {
    let stopped = source();
    stopped.stop("maintenance");
    let broken = source();
    broken.cast(act(|_| fail("broken pipe"))).unwrap();
    let done = source();
    done.cast(act(|out| {
        out.complete();
        Ok(())
    }))
    .unwrap();
    for producer in [&stopped, &broken, &done] {
        soon(producer.outcome()).await;
    }
    let running = consumer();
    let refused = soon(running.subscribe(&stopped)).await.unwrap_err();
    assert!(matches!(refused, SubscribeError::ProducerEnded { .. }));
    says(&refused, &["source", "cancelled: maintenance"]);
    let refused = soon(running.subscribe(&broken)).await.unwrap_err();
    assert!(matches!(refused, SubscribeError::ProducerEnded { .. }));
    says(&refused, &["source", "broken pipe"]);
    let refused = soon(running.subscribe(&done)).await.unwrap_err();
    assert!(matches!(refused, SubscribeError::ProducerCompleted { .. }));
    says(&refused, &["source", "completed"]);
    pending(running.outcome()).await;
}

/// GS132
#[tokio::test(start_paused = true)]
async fn an_ended_consumer_subscribes_to_nothing() {
    let source = source();
    let ended = consumer();
    ended.stop("enough");
    soon(ended.outcome()).await;
    let refused = soon(ended.subscribe(&source)).await.unwrap_err();
    assert!(matches!(refused, SubscribeError::ConsumerEnded { .. }));
    says(&refused, &["`consumer`", "ended"]);
    let id = soon(consumer().subscribe(&source)).await.unwrap();
    // These have nobody to tell; they must do no harm.
    ended.ask(id, 3);
    ended.cancel(id, "nothing");
}

#[tokio::test(start_paused = true)]
async fn a_stage_does_not_subscribe_to_itself() {
    let relay = RelayProbe::<u64, u64>::new(|_, _| Ok(()))
        .0
        .stage()
        .name("loop")
        .spawn();
    let refused = soon(relay.subscribe(&relay)).await.unwrap_err();
    assert!(matches!(refused, SubscribeError::SelfSubscription { .. }));
    says(&refused, &["`loop`", "itself"]);
    pending(relay.outcome()).await;
}

#[test]
fn outside_a_runtime_try_spawn_says_so() {
    let error = from_iter([1u64])
        .stage()
        .name("lonely")
        .try_spawn()
        .unwrap_err();
    assert!(matches!(error, SpawnError::NoRuntime { .. }));
    says(&error, &["`lonely`", "no tokio runtime", "block_on"]);
    assert!(for_each(|_: u64| {}).stage().try_spawn().is_err());
    assert!(map(|n: u64| n).stage().try_spawn().is_err());
}

#[test]
#[should_panic(expected = "no reactor running")]
fn outside_a_runtime_spawn_panics() {
    let _ = from_iter([1u64]).stage().spawn();
}

/// GS085 GS086
#[tokio::test(start_paused = true)]
async fn a_hash_out_of_range_rejects_the_event_and_the_producer_lives() {
    let parts = Partition::by_index(2, |n: &u64| Some(*n as usize)).unwrap();
    let source = from_iter([0u64, 9, 1, 0, 12, 1])
        .stage()
        .dispatcher(parts)
        .spawn();
    let (zero, one) = (ConsumerProbe::<u64>::new(), ConsumerProbe::<u64>::new());
    let (mut zeros, mut ones) = (zero.1, one.1);
    let zero = zero.0.stage().subscribe_to(source.partition(0)).spawn();
    let one = one.0.stage().subscribe_to(source.partition(1)).spawn();
    assert_eq!(zeros.gather(2).await, [0, 0]);
    assert_eq!(ones.gather(2).await, [1, 1]);
    soon(zero.join()).await.unwrap();
    soon(one.join()).await.unwrap();
    let stats = source.stats();
    assert_eq!(
        (stats.rejected, stats.discarded, stats.delivered),
        (2, 0, 4)
    );
    soon(source.join()).await.unwrap();
}

/// GS078
#[tokio::test(start_paused = true)]
async fn a_hash_that_says_none_drops_the_event_and_counts_it() {
    let parts = Partition::by_index(1, |n: &u64| n.is_multiple_of(2).then_some(0)).unwrap();
    let (probe, _) = ProducerProbe::silent();
    let source = probe.stage().dispatcher(parts).spawn();
    let (probe, mut calls) = ConsumerProbe::<u64>::new();
    let _consumer = probe.stage().subscribe_to(source.partition(0)).spawn();
    calls.producer_joined().await;
    source.call(emit(0..10)).await.unwrap();
    assert_eq!(calls.gather(5).await, [0, 2, 4, 6, 8]);
    assert_eq!((source.stats().discarded, source.stats().rejected), (5, 0));
}
