//! Events that nobody has asked for yet (B1 to B10).

use crate::common::{pending, soon};
use stage_runtime::ProducerHandle;
use stage_runtime::prelude::*;
use stage_test::probe::{Calls, ConsumerProbe, ProducerProbe, emit};

type Source = ProducerHandle<ProducerProbe<char>>;

fn silent() -> ProducerProbe<char> {
    ProducerProbe::silent().0
}

/// Subscribes with demand for four at a time.
fn four_at_a_time(source: &Source) -> Calls<char> {
    let (probe, calls) = ConsumerProbe::new();
    let four = source.subscription().max_demand(4).min_demand(0);
    probe.stage().subscribe_to(four).spawn();
    calls
}

/// GS112
#[tokio::test(start_paused = true)]
async fn the_buffer_goes_first_and_only_the_rest_is_asked_for() {
    let (probe, mut above) = ProducerProbe::new(|demand, out| {
        out.extend(('0'..='9').take(demand));
        Ok(())
    });
    let source = probe.stage().spawn();
    source.call(emit("abc".chars())).await.unwrap();
    source.call(emit("de".chars())).await.unwrap();
    let mut below = four_at_a_time(&source);
    assert_eq!(below.gather(4).await, ['a', 'b', 'c', 'd']);
    assert_eq!(below.gather(4).await, ['e', '0', '1', '2']);
    assert_eq!(above.demand().await, 3);
    assert_eq!(above.demand().await, 4);
}

/// GS113
#[tokio::test(start_paused = true)]
async fn keep_first_discards_what_comes_too_late() {
    let source = silent()
        .stage()
        .buffer_size(5)
        .on_overflow(Overflow::DropNewest)
        .spawn();
    source.call(emit("abcde".chars())).await.unwrap();
    assert_eq!(source.stats().discarded, 0);
    source.call(emit("fgh".chars())).await.unwrap();
    assert_eq!((source.stats().discarded, source.stats().buffered), (3, 5));
    let mut below = four_at_a_time(&source);
    assert_eq!(below.events().await, ['a', 'b', 'c', 'd']);
    assert_eq!(below.events().await, ['e']);
}

/// GS114
#[tokio::test(start_paused = true)]
async fn keep_last_discards_what_is_oldest() {
    let source = silent().stage().buffer_size(5).spawn();
    source.call(emit("abcde".chars())).await.unwrap();
    source.call(emit("fgh".chars())).await.unwrap();
    assert_eq!((source.stats().discarded, source.stats().buffered), (3, 5));
    let mut below = four_at_a_time(&source);
    assert_eq!(below.events().await.first(), Some(&'d'));
    assert_eq!(below.events().await.last(), Some(&'h'));
    assert_eq!(source.stats().delivered, 5);
}

#[tokio::test(start_paused = true)]
async fn a_batch_larger_than_the_buffer_is_cut() {
    for (keep, kept) in [
        (Overflow::DropNewest, ['a', 'b']),
        (Overflow::DropOldest, ['g', 'h']),
    ] {
        let source = silent().stage().buffer_size(2).on_overflow(keep).spawn();
        source.call(emit("abcdefgh".chars())).await.unwrap();
        assert_eq!(source.stats().discarded, 6);
        let mut below = four_at_a_time(&source);
        assert_eq!(below.gather(2).await, kept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_buffer_of_nothing_discards_what_was_not_asked_for() {
    let source = silent().stage().buffer_size(0).spawn();
    source.call(emit("abc".chars())).await.unwrap();
    assert_eq!((source.stats().discarded, source.stats().buffered), (3, 0));
    let mut below = four_at_a_time(&source);
    below.producer_joined().await;
    below.quiet().await;
    source.call(emit("defghi".chars())).await.unwrap();
    assert_eq!(below.events().await, ['d', 'e', 'f', 'g']);
    assert_eq!(source.stats().discarded, 5);
}

/// GS115
#[tokio::test(start_paused = true)]
async fn a_buffer_without_a_bound_keeps_everything() {
    let source = silent().stage().unbounded_buffer().spawn();
    for _ in 0..30 {
        source
            .call(emit(std::iter::repeat_n('x', 1_000)))
            .await
            .unwrap();
    }
    assert_eq!(
        (source.stats().discarded, source.stats().buffered),
        (0, 30_000)
    );
    let (probe, mut below) = ConsumerProbe::new();
    probe.stage().subscribe_to(&source).spawn();
    assert_eq!(below.gather(30_000).await.len(), 30_000);
}

#[tokio::test(start_paused = true)]
async fn by_default_a_producer_keeps_ten_thousand_events() {
    let source = silent().stage().spawn();
    source
        .call(emit(std::iter::repeat_n('x', 10_001)))
        .await
        .unwrap();
    assert_eq!(
        (source.stats().discarded, source.stats().buffered),
        (1, 10_000)
    );
}

/// GS119
#[tokio::test(start_paused = true)]
async fn the_buffer_can_be_counted() {
    let source = silent().stage().spawn();
    source.call(emit("abcde".chars())).await.unwrap();
    assert_eq!(source.stats().buffered, 5);
    source.call(emit("fgh".chars())).await.unwrap();
    assert_eq!(source.stats().buffered, 8);
    let mut below = four_at_a_time(&source);
    assert_eq!(below.gather(8).await.len(), 8);
    pending(source.outcome()).await;
    assert_eq!(source.stats().buffered, 0);
}

/// GenStage's issue 311.
#[tokio::test(start_paused = true)]
async fn what_was_buffered_between_two_consumers_reaches_the_second() {
    let source = silent().stage().spawn();
    let (probe, mut first) = ConsumerProbe::new();
    let consumer = probe.stage().subscribe_to(&source).spawn();
    first.producer_joined().await;
    consumer.stop("enough");
    soon(consumer.outcome()).await;
    pending(source.outcome()).await;
    source.call(emit("abcde".chars())).await.unwrap();
    assert_eq!(source.stats().buffered, 5);
    let (probe, mut second) = ConsumerProbe::new();
    probe.stage().subscribe_to(&source).spawn();
    assert_eq!(second.gather(5).await, ['a', 'b', 'c', 'd', 'e']);
}

#[tokio::test(start_paused = true)]
async fn what_is_buffered_when_a_stage_is_stopped_is_counted_as_discarded() {
    let source = silent().stage().spawn();
    source.call(emit("abcde".chars())).await.unwrap();
    source.stop("enough");
    soon(source.outcome()).await;
    let stats = source.stats();
    assert_eq!(
        (stats.discarded, stats.buffered, stats.events_out),
        (5, 0, 5)
    );
}
