//! Expendable stages: they fail alone (S13).

use crate::common::log::Log;
use crate::common::{cancelled, fail, failure, pending, soon, word};
use stage_runtime::operators::{for_each, from_iter};
use stage_runtime::prelude::*;
use stage_test::probe::{ConsumerProbe, ProducerProbe, RelayProbe, act};

#[tokio::test(start_paused = true)]
async fn an_expendable_stage_of_each_kind_fails_alone() {
    let (log, _guard) = Log::listen(tracing::Level::ERROR);
    let pipeline = Pipeline::new();
    let numbers = from_iter(0..).stage().name("numbers");
    let numbers = numbers.in_group(&pipeline).spawn();
    let producer = ProducerProbe::<u64>::silent().0.stage().name("producer");
    let producer = producer.expendable().in_group(&pipeline).spawn();
    let (probe, _) = RelayProbe::<u64, u64>::new(|_, _| fail("broken"));
    let relay = probe.stage().name("relay").expendable();
    let relay = relay.subscribe_to(&numbers).in_group(&pipeline).spawn();
    // It makes the relay work, and is outside of the pipeline.
    let (probe, mut below) = ConsumerProbe::<u64>::new();
    let sink = probe.stage().subscribe_to(&relay).spawn();
    let consumer = for_each(|n: u64| assert!(n < 5, "too many"))
        .stage()
        .name("consumer")
        .expendable()
        .subscribe_to(&numbers)
        .in_group(&pipeline)
        .spawn();

    failure(soon(consumer.join()).await);
    failure(soon(relay.join()).await);
    producer.cast(act(|_| fail("broken"))).expect("it runs");
    failure(soon(producer.join()).await);
    // Neighbours learn of the end as of any other.
    assert_eq!(word(&below.producer_left().await.1), "failed");
    assert_eq!(word(&soon(sink.outcome()).await), "failed");

    pending(numbers.outcome()).await;
    let late = from_iter(0..9u64).stage().in_group(&pipeline).spawn();
    pending(late.outcome()).await;
    // Each failure is traced, is in the snapshot, and `join` reports the first.
    let text = log.text();
    for name in ["producer", "relay", "consumer"] {
        assert!(text.contains(&format!("stage `{name}`")), "{text}");
        let stages = pipeline.snapshot().stages;
        let stage = stages.iter().find(|stage| &*stage.stats.name == name);
        let stage = stage.expect("it ended a moment ago");
        assert!(stage.expendable);
        assert!(stage.outcome.as_ref().unwrap().contains("failed"));
    }
    soon(pipeline.shutdown()).await;
    let failure = failure(soon(pipeline.join()).await);
    assert_eq!(failure.stage(), "producer");
}

/// The failure that stopped a pipeline is the one that is reported, also if expendable
/// stages failed before.
#[tokio::test(start_paused = true)]
async fn join_reports_the_failure_that_stopped_the_pipeline() {
    let pipeline = Pipeline::new();
    let probe = || ProducerProbe::<u64>::silent().0.stage();
    let guest = probe()
        .name("guest")
        .expendable()
        .in_group(&pipeline)
        .spawn();
    let host = probe().name("host").in_group(&pipeline).spawn();
    let other = probe().name("other").in_group(&pipeline).spawn();
    guest.cast(act(|_| fail("guest"))).expect("it runs");
    failure(soon(guest.join()).await);
    pending(host.outcome()).await;
    host.cast(act(|_| fail("host"))).expect("it runs");
    let failure = failure(soon(pipeline.join()).await);
    assert_eq!(failure.stage(), "host");
    assert!(cancelled(soon(other.join()).await).contains("`host`"));
}

/// With a factory it is restarted first, as its policy says.
#[tokio::test(start_paused = true)]
async fn an_expendable_stage_with_a_factory_restarts_first() {
    let pipeline = Pipeline::new();
    let host = ProducerProbe::<u64>::silent().0.stage();
    let host = host.in_group(&pipeline).spawn();
    let guest = supervised(|| ProducerProbe::<u64>::silent().0)
        .restart(Restart::on_failure().max_restarts(2))
        .stage()
        .expendable()
        .in_group(&pipeline)
        .spawn();
    let stats = guest.stage_ref();
    for _ in 0..2 {
        guest.cast(act(|_| fail("oops"))).expect("it runs");
        pending(guest.outcome()).await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    guest.cast(act(|_| fail("oops"))).expect("it runs");
    failure(soon(guest.join()).await);
    assert_eq!(stats.stats().restarts, 2);
    pending(host.outcome()).await;
}

/// So does one with options that cannot work.
#[tokio::test(start_paused = true)]
async fn an_expendable_stage_with_wrong_options_fails_alone() {
    let pipeline = Pipeline::new();
    let numbers = from_iter(0..9u64).stage().in_group(&pipeline).spawn();
    let wrong = for_each(|_: u64| ())
        .stage()
        .expendable()
        .subscribe_to(numbers.subscription().max_demand(0))
        .in_group(&pipeline)
        .spawn();
    failure(soon(wrong.join()).await);
    pending(numbers.outcome()).await;
}
