//! Bounds in bytes: of a buffer (B1, B13) and of what is in flight (D10 to D12).

use stage_runtime::prelude::*;
use stage_runtime::{ProducerHandle, ShedReason};
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};

use crate::common::{failure, soon};

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn bytes(limit: usize) -> Bound<String> {
    Bound::Bytes {
        limit,
        weigh: String::len,
    }
}

fn source(limit: usize, overflow: Overflow) -> ProducerHandle<ProducerProbe<String>> {
    let (probe, _) = ProducerProbe::silent();
    let builder = probe.stage().buffer(bytes(limit));
    builder.on_overflow(overflow).spawn()
}

/// What a consumer gets that asks for as much as there is.
async fn rest(source: &ProducerHandle<ProducerProbe<String>>, count: usize) -> Vec<String> {
    let (probe, mut calls) = ConsumerProbe::new();
    probe.stage().subscribe_to(source).spawn();
    calls.gather(count).await
}

#[tokio::test(start_paused = true)]
async fn a_buffer_holds_so_many_bytes() {
    for (overflow, kept) in [
        (Overflow::DropOldest, ["three", "four"].as_slice()),
        (Overflow::DropNewest, &["one", "two"]),
    ] {
        let source = source(10, overflow);
        source.call(emit(texts(&["one", "two"]))).await.unwrap();
        assert_eq!(source.stats().buffered_bytes, Some(6));
        source.call(emit(texts(&["three", "four"]))).await.unwrap();
        let stats = source.stats();
        assert_eq!((stats.discarded, stats.buffered), (2, 2), "{overflow:?}");
        assert_eq!(rest(&source, 2).await, kept);
        assert_eq!(source.stats().buffered_bytes, Some(0));
    }
}

/// librdkafka 184: a message larger than the limit is never delivered.
/// confluent-kafka-python 823: a limit of one byte is an error.
#[tokio::test(start_paused = true)]
async fn an_event_heavier_than_the_buffer_still_arrives() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let source = source(1, overflow);
        source.call(emit(texts(&["too heavy"]))).await.unwrap();
        assert_eq!(source.stats().buffered_bytes, Some(9));
        assert_eq!(rest(&source, 1).await, ["too heavy"]);
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_buffer_bounded_in_bytes_shows_bytes() {
    let (probe, _) = ProducerProbe::<String>::silent();
    let source = probe.stage().spawn();
    source.call(emit(texts(&["one"]))).await.unwrap();
    assert_eq!(source.stats().buffered_bytes, None);
}

#[tokio::test(start_paused = true)]
async fn the_bytes_are_in_the_snapshot_and_gone_at_the_end() {
    let pipeline = Pipeline::new();
    let (probe, _) = ProducerProbe::silent();
    let builder = probe.stage().buffer(bytes(100)).in_group(&pipeline);
    let source = builder.spawn();
    source.call(emit(texts(&["one", "three"]))).await.unwrap();
    let shown = |pipeline: &Pipeline| pipeline.snapshot().stages[0].stats.buffered_bytes;
    assert_eq!(shown(&pipeline), Some(8));
    soon(pipeline.shutdown()).await;
    assert_eq!(shown(&pipeline), Some(0));
    assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn a_hook_gets_what_was_too_heavy() {
    let (sender, shed) = std::sync::mpsc::channel();
    let (probe, _) = ProducerProbe::silent();
    let source = probe
        .stage()
        .buffer(bytes(4))
        .shed(move |shed| sender.send((shed.reason, shed.events.into_vec())).unwrap())
        .spawn();
    source.call(emit(texts(&["one", "two"]))).await.unwrap();
    let one = texts(&["one"]);
    assert_eq!(shed.try_recv(), Ok((ShedReason::NoSubscriber, one)));
}

/// What a consumer hands back is kept, whatever the bound (B9).
#[tokio::test(start_paused = true)]
async fn what_is_handed_back_is_kept_whatever_it_weighs() {
    /// Fails without taking an event.
    struct Refuses;

    impl Consumer for Refuses {
        type Event = String;

        async fn handle_events(
            &mut self,
            _: &mut Batch<String>,
            _: &mut Context<'_>,
        ) -> StageResult {
            Err("refused".into())
        }
    }

    let handed = ["first", "second", "third"];
    let (probe, mut above) = ProducerProbe::silent();
    let source = probe.stage().buffer(bytes(3)).spawn();
    let consumer = Refuses.stage().subscribe_to(&source).spawn();
    above.demand().await;
    source.call(emit(texts(&handed))).await.unwrap();
    failure(soon(consumer.join()).await);
    above.consumer_left().await;
    assert_eq!(source.stats().buffered_bytes, Some(16));
    assert_eq!(rest(&source, 3).await, handed);
}

/// The weigher is the user's code: a panic in it fails the stage, and the accounts
/// are settled.
#[tokio::test(start_paused = true)]
async fn a_weigher_that_panics_fails_the_stage() {
    let pipeline = Pipeline::new();
    let (probe, _) = ProducerProbe::<String>::silent();
    let weigh = |event: &String| {
        assert_ne!(event, "bad", "no weight");
        event.len()
    };
    let source = probe
        .stage()
        .buffer(Bound::Bytes { limit: 10, weigh })
        .in_group(&pipeline)
        .spawn();
    source.call(emit(texts(&["good"]))).await.unwrap();
    let refused = source.call(emit(texts(&["bad", "one"]))).await;
    assert!(refused.is_err(), "{refused:?}");
    let failed = failure(soon(source.join()).await);
    assert!(failed.to_string().contains("no weight"), "{failed}");
    let stats = pipeline.snapshot().stages[0].stats.clone();
    assert_eq!((stats.events_out, stats.discarded), (3, 3));
    assert_settled(&pipeline);
}
