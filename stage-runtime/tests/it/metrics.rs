//! What the `metrics` facade is told of a pipeline.

use std::sync::Arc;
use std::time::Duration;

use crate::common::soon;
use metrics::{SharedString, Unit};
use metrics_util::CompositeKey;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use stage_core::Bound;
use stage_dispatchers::{Detached, SubscriberQueue};
use stage_runtime::operators::{for_each, from_iter};
use stage_runtime::prelude::*;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};
use tokio::sync::Semaphore;

type Recorded = [(CompositeKey, Option<Unit>, Option<SharedString>, DebugValue)];

/// The value of the metric `name` with these labels.
fn value(recorded: &Recorded, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
    recorded
        .iter()
        .find(|(key, ..)| {
            let key = key.key();
            let has = |&(label, text): &(&str, &str)| {
                key.labels()
                    .any(|known| known.key() == label && known.value() == text)
            };
            key.name() == name && labels.iter().all(has)
        })
        .map(|(.., value)| match value {
            DebugValue::Counter(count) => *count,
            DebugValue::Gauge(level) => level.into_inner() as u64,
            DebugValue::Histogram(_) => panic!("no histograms"),
        })
}

#[tokio::test(start_paused = true)]
async fn counters_and_levels_are_recorded_under_the_names_of_stages() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let pipeline = Pipeline::new();
    let source = from_iter(0..42u64)
        .stage()
        .name("source")
        .in_group(&pipeline)
        .spawn();
    for_each(|_: u64| ())
        .stage()
        .name("sink")
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    soon(pipeline.join()).await.unwrap();
    metrics::with_local_recorder(&recorder, || pipeline.snapshot().record_metrics());
    let link = [("producer", "source"), ("consumer", "sink")];
    let stage = [("stage", "sink")];
    let all = snapshotter.snapshot().into_vec();
    assert_eq!(value(&all, "stages_events_in_total", &stage), Some(42));
    assert_eq!(value(&all, "stages_link_handled_total", &link), Some(42));
    assert_eq!(value(&all, "stages_link_in_flight", &link), Some(0));
}

/// What a dispatcher drops for one slow subscriber is lost on that subscriber alone, so it
/// is counted under the names of both.
#[tokio::test(start_paused = true)]
async fn what_a_dispatcher_sheds_is_recorded_for_each_subscriber() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let pipeline = Pipeline::new();
    let source = from_iter(0..42u64)
        .stage()
        .name("source")
        .dispatcher(Detached::new())
        .in_group(&pipeline)
        .spawn();
    let queue = SubscriberQueue::new().bound(Bound::Events(2));
    let stream = source.route(queue).max_demand(10).into_stream().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    metrics::with_local_recorder(&recorder, || pipeline.snapshot().record_metrics());
    let link = [("producer", "source"), ("consumer", "stream of source")];
    let all = snapshotter.snapshot().into_vec();
    assert_eq!(value(&all, "stages_link_shed_total", &link), Some(30));
    drop(stream);
    soon(pipeline.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn bytes_are_recorded_where_they_are_bounded() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let pipeline = Pipeline::new();
    let (probe, _) = ProducerProbe::<String>::silent();
    let (limit, weigh) = (100, String::len);
    let source = probe
        .stage()
        .name("source")
        .buffer(Bound::Bytes { limit, weigh })
        .in_group(&pipeline)
        .spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let permits = Arc::new(Semaphore::new(0));
    probe
        .held_by(&permits)
        .stage()
        .name("sink")
        .subscribe_to(source.subscription().max_bytes(100, weigh))
        .in_group(&pipeline)
        .spawn();
    calls.producer_joined().await;
    let events = ["three", "one", "two"].map(str::to_owned);
    source.call(emit(events)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    metrics::with_local_recorder(&recorder, || pipeline.snapshot().record_metrics());
    let all = snapshotter.snapshot().into_vec();
    let bytes = |name, labels: &[_]| value(&all, name, labels);
    assert_eq!(
        bytes("stages_buffered_bytes", &[("stage", "source")]),
        Some(6)
    );
    assert_eq!(bytes("stages_buffered_bytes", &[("stage", "sink")]), None);
    let link = [("producer", "source"), ("consumer", "sink")];
    assert_eq!(bytes("stages_link_in_flight_bytes", &link), Some(5));
    permits.add_permits(10);
    soon(pipeline.shutdown()).await;
}

#[tokio::test(start_paused = true)]
async fn publishing_goes_on_until_the_pipeline_has_ended() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let pipeline = Pipeline::new();
    let source = from_iter(0..42u64)
        .stage()
        .name("source")
        .in_group(&pipeline)
        .spawn();
    pipeline.publish_metrics(Duration::from_secs(1));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let stage = [("stage", "source")];
    let events_out = |snapshotter: &Snapshotter| {
        value(
            &snapshotter.snapshot().into_vec(),
            "stages_events_out_total",
            &stage,
        )
    };
    assert_eq!(events_out(&snapshotter), Some(0));
    let sink = for_each(|_: u64| ()).stage().subscribe_to(&source).spawn();
    soon(sink.join()).await.unwrap();
    let alive = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(events_out(&snapshotter), Some(42));
    assert_eq!(alive(), 0);
}
