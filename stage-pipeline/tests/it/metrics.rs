//! The ledger through the `metrics` facade.

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{Failed, Message, acked, handler_fn};

#[test]
fn metrics_have_the_ledger_of_each_source() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let queue = MemoryQueue::new();
            queue.enqueue_all(0..10_u64);
            queue.close();
            let pipeline = acked("numbers")
                .source(move || queue.source())
                .step("check", || {
                    handler_fn(|message: &mut Message<u64>| match message.data {
                        7 => Err(Failed::reject("seven")),
                        _ => Ok(()),
                    })
                })
                .start()
                .unwrap();
            pipeline.join().await.unwrap();
            pipeline.record_metrics();
        });
    });
    let recorded = snapshotter.snapshot().into_vec();
    let value = |name: &str| {
        let of_name = recorded.iter().find(|(key, ..)| key.key().name() == name);
        match of_name.map(|(.., value)| value) {
            Some(DebugValue::Counter(count)) => *count as f64,
            Some(DebugValue::Gauge(level)) => level.into_inner(),
            other => panic!("{name}: {other:?}"),
        }
    };
    assert_eq!(value("stages_messages_leased_total"), 10.0);
    assert_eq!(value("stages_messages_acked_total"), 9.0);
    assert_eq!(value("stages_messages_rejected_total"), 1.0);
    assert_eq!(value("stages_messages_in_flight"), 0.0);
}
