//! Bounds in bytes: of a buffer (B1, B13) and of what is in flight (D10 to D12).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::TryStreamExt;
use stage_runtime::operators::{FromIter, fold, for_each, from_iter};
use stage_runtime::prelude::*;
use stage_runtime::snapshot::LinkSnapshot;
use stage_runtime::{ProducerHandle, ShedReason};
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};
use tokio::sync::Semaphore;

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

/// An event of so many bytes, counted while it is alive.
struct Frame {
    bytes: usize,
    live: Arc<AtomicUsize>,
}

impl Frame {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.live.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A source of frames that are made as they are asked for, and a subscription to it.
struct Frames {
    live: Arc<AtomicUsize>,
    source: ProducerHandle<FromIter<Box<dyn Iterator<Item = Frame> + Send>>>,
}

impl Frames {
    fn new(bytes: impl Iterator<Item = usize> + Send + 'static) -> Self {
        let live = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&live);
        let frames = bytes.map(move |bytes| {
            counted.fetch_add(bytes, Ordering::Relaxed);
            let live = Arc::clone(&counted);
            Frame { bytes, live }
        });
        let frames: Box<dyn Iterator<Item = Frame> + Send> = Box::new(frames);
        let source = from_iter(frames).stage().spawn();
        Self { live, source }
    }

    /// Handles all frames within `limit`; returns the bytes that were alive when each
    /// was handled.
    async fn run(&self, limit: usize) -> Vec<usize> {
        let live = Arc::clone(&self.live);
        let terms = self.source.subscription().max_bytes(limit, Frame::bytes);
        let seen = fold(Vec::new(), move |mut seen, frame: Frame| {
            seen.push(live.load(Ordering::Relaxed));
            drop(frame);
            seen
        });
        let seen = seen.stage().subscribe_to(terms).spawn();
        soon(seen.output()).await.unwrap()
    }
}

/// librdkafka 1775, 2076: a limit in bytes that more messages are fetched past.
#[tokio::test(start_paused = true)]
async fn what_is_in_flight_stays_within_the_bytes_and_uses_them() {
    let frames = Frames::new(std::iter::repeat_n(1_000, 500));
    let live = frames.run(10_000).await;
    assert_eq!(live.len(), 500);
    assert_eq!(live.iter().max(), Some(&10_000));
    assert_eq!(live[0], 1_000, "it begins with one event");
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_in_bytes_a_thousand_events_are_in_flight() {
    let frames = Frames::new(std::iter::repeat_n(1_000, 2_000));
    let live = Arc::clone(&frames.live);
    let most = fold(0, move |most: usize, frame: Frame| {
        let now = live.load(Ordering::Relaxed);
        drop(frame);
        most.max(now)
    });
    let most = most.stage().subscribe_to(&frames.source).spawn();
    assert_eq!(soon(most.output()).await.unwrap(), 1_000_000);
}

#[tokio::test(start_paused = true)]
async fn events_heavier_than_the_limit_arrive_one_by_one() {
    for limit in [0, 1, 999] {
        let frames = Frames::new(std::iter::repeat_n(1_000, 50));
        assert_eq!(frames.run(limit).await, vec![1_000; 50], "limit {limit}");
    }
}

/// A light first message, such as a greeting, must not let a thousand heavy ones be
/// asked for.
#[tokio::test(start_paused = true)]
async fn a_light_event_at_first_does_not_open_the_window() {
    let sizes = std::iter::once(1).chain(std::iter::repeat_n(100_000, 100));
    let live = Frames::new(sizes).run(200_000).await;
    assert_eq!(live.len(), 101);
    assert_eq!(live.iter().max(), Some(&200_000));
}

#[tokio::test(start_paused = true)]
async fn heavier_events_exceed_the_limit_only_by_what_was_asked_for() {
    let sizes = std::iter::repeat_n(100, 1_000).chain(std::iter::repeat_n(1_000, 500));
    let live = Frames::new(sizes).run(10_000).await;
    assert_eq!(live.len(), 1_500);
    let most = |live: &[usize]| live.iter().copied().max().unwrap_or_default();
    assert_eq!(most(&live[..900]), 10_000);
    assert!(most(&live) <= 100 * 1_000, "100 were asked for");
    assert!(most(&live[1_300..]) <= 10_000, "the mean has followed");
}

#[tokio::test(start_paused = true)]
async fn a_stream_keeps_within_its_bytes() {
    let frames = Frames::new(std::iter::repeat_n(1_000, 300));
    let terms = frames.source.subscription().max_bytes(5_000, Frame::bytes);
    let mut stream = terms.into_stream().unwrap();
    let (mut count, mut most) = (0, 0);
    while let Some(frame) = soon(stream.try_next()).await.unwrap() {
        most = most.max(frames.live.load(Ordering::Relaxed));
        count += 1;
        drop(frame);
    }
    assert_eq!((count, most), (300, 5_000));
}

/// Waits until no task can go on, then reads the only link.
async fn link(pipeline: &Pipeline) -> LinkSnapshot {
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    pipeline.snapshot().links.remove(0)
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_shows_the_bytes_in_flight() {
    let pipeline = Pipeline::new();
    let (probe, _) = ProducerProbe::silent();
    let source = probe.stage().in_group(&pipeline).spawn();
    let (probe, _calls) = ConsumerProbe::new();
    let permits = Arc::new(Semaphore::new(0));
    let consumer = probe
        .held_by(&permits)
        .stage()
        .subscribe_to(source.subscription().max_bytes(100, String::len))
        .in_group(&pipeline)
        .spawn();
    assert_eq!(link(&pipeline).await.in_flight_bytes, Some(0));
    source.call(emit(texts(&["three", "one"]))).await.unwrap();
    let first = link(&pipeline).await;
    assert_eq!(first.totals.in_flight, 1, "one is asked for at first");
    assert_eq!(first.in_flight_bytes, Some(5));
    permits.add_permits(100);
    assert_eq!(link(&pipeline).await.in_flight_bytes, Some(0));
    assert_eq!(consumer.stats().events_in, 2);
    soon(pipeline.shutdown()).await;
    assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn only_a_limit_in_bytes_shows_bytes_in_flight() {
    let pipeline = Pipeline::new();
    let numbers = from_iter(0..3).stage().in_group(&pipeline).spawn();
    let sink = for_each(|_: i32| {}).stage().subscribe_to(&numbers);
    sink.in_group(&pipeline).spawn();
    assert_eq!(link(&pipeline).await.in_flight_bytes, None);
}

/// A handler that fails settles what it took, and the window goes on.
#[tokio::test(start_paused = true)]
async fn a_restarted_consumer_keeps_within_its_bytes() {
    /// Fails at every tenth event, with the rest still in its batch.
    struct Shaky(Arc<AtomicUsize>);

    impl Consumer for Shaky {
        type Event = Frame;

        async fn handle_events(
            &mut self,
            events: &mut Batch<Frame>,
            _: &mut Context<'_>,
        ) -> StageResult {
            for _frame in events {
                if self.0.fetch_add(1, Ordering::Relaxed) % 10 == 9 {
                    return Err("every tenth".into());
                }
            }
            Ok(())
        }
    }

    let pipeline = Pipeline::new();
    let frames = Frames::new(std::iter::repeat_n(1_000, 200));
    let taken = Arc::new(AtomicUsize::new(0));
    let shared = Arc::clone(&taken);
    let always = Restart::on_failure().max_restarts(1_000);
    let consumer = supervised(move || Shaky(Arc::clone(&shared)))
        .restart(always)
        .stage()
        .subscribe_to(frames.source.subscription().max_bytes(7_000, Frame::bytes))
        .in_group(&pipeline)
        .spawn();
    soon(consumer.outcome()).await;
    assert_eq!(taken.load(Ordering::Relaxed), 200);
    let stats = consumer.stats();
    assert_eq!((stats.lost, stats.restarts), (20, 20));
    assert_eq!(link(&pipeline).await.in_flight_bytes, Some(0));
    assert_eq!(frames.live.load(Ordering::Relaxed), 0);
    assert_settled(&pipeline);
}

/// The weigher is the user's code: a panic in it fails the consumer, and its events
/// go back.
#[tokio::test(start_paused = true)]
async fn a_weigher_of_a_subscription_that_panics_fails_the_consumer() {
    let (probe, mut above) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let (probe, _calls) = ConsumerProbe::<String>::new();
    let terms = source
        .subscription()
        .max_bytes(10, |_: &String| panic!("no weight"));
    let consumer = probe.stage().subscribe_to(terms).spawn();
    above.demand().await;
    source.call(emit(texts(&["one"]))).await.unwrap();
    let failed = failure(soon(consumer.join()).await);
    assert_eq!(failed.panic_message(), Some("no weight"));
    above.consumer_left().await;
    assert_eq!(
        (source.stats().handed_back, source.stats().buffered),
        (1, 1)
    );
}
