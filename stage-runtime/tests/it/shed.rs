//! What a buffer sheds is seen by a hook; without a hook it is counted, and traced
//! now and then (B11, B12).

use std::sync::{Arc, Mutex};

use stage_runtime::prelude::*;
use stage_runtime::{Shed, ShedReason};
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};
use tracing::Level;

use crate::common::log::Log;
use crate::common::soon;

/// What a hook has seen.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(ShedReason, String)>>>);

impl Seen {
    fn hook(&self) -> impl FnMut(Shed<char>) + Send + 'static {
        let seen = Arc::clone(&self.0);
        move |shed| {
            assert_eq!(&*shed.stage, "source");
            let events = shed.events.into_iter().collect();
            seen.lock().unwrap().push((shed.reason, events));
        }
    }

    /// The reasons in turn, each with the events of all calls with it.
    fn take(&self) -> Vec<(ShedReason, String)> {
        let mut merged: Vec<(ShedReason, String)> = Vec::new();
        for (reason, events) in std::mem::take(&mut *self.0.lock().unwrap()) {
            match merged.last_mut() {
                Some((last, so_far)) if *last == reason => so_far.push_str(&events),
                _ => merged.push((reason, events)),
            }
        }
        merged
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_gets_what_a_full_buffer_sheds_and_nothing_is_traced() {
    for (overflow, full) in [(Overflow::DropOldest, "cd"), (Overflow::DropNewest, "ef")] {
        let (log, _guard) = Log::listen(Level::INFO);
        let seen = Seen::default();
        let source = ProducerProbe::silent()
            .0
            .stage()
            .name("source")
            .buffer_size(2)
            .on_overflow(overflow)
            .shed(seen.hook())
            .spawn();
        let (probe, mut calls) = ConsumerProbe::new();
        let two = source.subscription().max_demand(2).min_demand(0);
        let consumer = probe.stage().subscribe_to(two).spawn();
        calls.producer_joined().await;
        // The consumer takes two; two fit.
        source.call(emit("abcdef".chars())).await.unwrap();
        assert_eq!(seen.take(), [(ShedReason::Full, full.to_owned())]);
        assert_eq!(source.stats().discarded, 2);
        consumer.stop("enough");
        soon(consumer.outcome()).await;
        assert_eq!(log.lines(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_hears_that_nobody_was_subscribed() {
    let seen = Seen::default();
    let (probe, _) = ProducerProbe::silent();
    let source = probe
        .stage()
        .name("source")
        .buffer_size(0)
        .shed(seen.hook())
        .spawn();
    source.call(emit("ab".chars())).await.unwrap();
    assert_eq!(
        seen.take(),
        [(ShedReason::NoSubscriber, "ab".to_owned())],
        "before there was one"
    );
    let (probe, mut calls) = ConsumerProbe::new();
    let one = source.subscription().max_demand(1);
    let consumer = probe.stage().subscribe_to(one).spawn();
    calls.producer_joined().await;
    source.call(emit("cd".chars())).await.unwrap();
    assert_eq!(seen.take(), [(ShedReason::Full, "d".to_owned())]);
    consumer.stop("enough");
    soon(consumer.outcome()).await;
    source.call(emit("ef".chars())).await.unwrap();
    assert_eq!(
        seen.take(),
        [(ShedReason::NoSubscriber, "ef".to_owned())],
        "after it has left"
    );
    assert_eq!(source.stats().discarded, 5);
}

#[tokio::test(start_paused = true)]
async fn a_hook_gets_what_is_left_when_the_stage_ends() {
    let (log, _guard) = Log::listen(Level::INFO);
    let seen = Seen::default();
    let (probe, _) = ProducerProbe::silent();
    let source = probe.stage().name("source").shed(seen.hook()).spawn();
    source.call(emit("ab".chars())).await.unwrap();
    source.call(emit("c".chars())).await.unwrap();
    source.stop("enough");
    soon(source.outcome()).await;
    assert_eq!(seen.take(), [(ShedReason::StageEnded, "abc".to_owned())]);
    assert_eq!((source.stats().discarded, source.stats().buffered), (3, 0));
    assert_eq!(log.lines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_in_the_queue_of_a_partition_comes_first() {
    let seen = Seen::default();
    let (probe, mut above) = ProducerProbe::silent();
    let parts = Partition::by_index(2, |event: &char| Some(*event as usize % 2))
        .unwrap()
        .queue_bound(2);
    let source = probe
        .stage()
        .name("source")
        .dispatcher(parts)
        .shed(seen.hook())
        .spawn();
    let (probe, _calls) = ConsumerProbe::new();
    probe.stage().subscribe_to(source.partition(1)).spawn();
    assert_eq!(above.demand().await, 2, "no partition has room for more");
    // `b`, `d` and `f` are for partition 0: two are queued, the third and all
    // behind it stay in the buffer.
    source.call(emit("bdfa".chars())).await.unwrap();
    assert_eq!(source.stats().buffered, 4);
    source.stop("enough");
    soon(source.outcome()).await;
    assert_eq!(seen.take(), [(ShedReason::StageEnded, "bdfa".to_owned())]);
    assert_eq!((source.stats().discarded, source.stats().buffered), (4, 0));
}

/// An event that several queues hold counts for each (XT10).
#[tokio::test(start_paused = true)]
async fn what_is_left_in_the_queues_of_a_detached_comes_for_each_subscriber() {
    let seen = Seen::default();
    let (probe, _) = ProducerProbe::silent();
    let source = probe
        .stage()
        .name("source")
        .dispatcher(Detached::new())
        .shed(seen.hook())
        .spawn();
    for _ in 0..2 {
        let (probe, mut calls) = ConsumerProbe::manual();
        probe.stage().subscribe_to(&source).spawn();
        calls.producer_joined().await;
    }
    source.call(emit("ab".chars())).await.unwrap();
    assert_eq!(source.stats().buffered, 4);
    source.stop("enough");
    soon(source.outcome()).await;
    assert_eq!(seen.take(), [(ShedReason::StageEnded, "abab".to_owned())]);
    assert_eq!((source.stats().discarded, source.stats().buffered), (4, 0));
}

/// A task that is dropped with its runtime, or aborted, sheds what it has as well.
#[tokio::test(start_paused = true)]
async fn a_hook_gets_what_is_left_when_the_task_is_aborted() {
    let seen = Seen::default();
    let (probe, _) = ProducerProbe::silent();
    let source = probe.stage().name("source").shed(seen.hook()).spawn();
    source.call(emit("ab".chars())).await.unwrap();
    source.abort();
    soon(source.outcome()).await;
    assert_eq!(seen.take(), [(ShedReason::StageEnded, "ab".to_owned())]);
    assert_eq!(source.stats().discarded, 2);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_hook_is_traced_and_has_no_other_effect() {
    let (log, _guard) = Log::listen(Level::INFO);
    let (probe, _) = ProducerProbe::silent();
    let pipeline = Pipeline::new();
    let source = probe
        .stage()
        .buffer_size(1)
        .shed(|_| panic!("no"))
        .in_group(&pipeline)
        .spawn();
    source.call(emit("abc".chars())).await.unwrap();
    assert_eq!((source.stats().discarded, source.stats().buffered), (2, 1));
    let lines = log.lines();
    assert!(
        lines.iter().any(|line| line.contains("panicked")),
        "{lines:#?}"
    );
    soon(pipeline.shutdown()).await;
    assert_settled(&pipeline);
}

/// launchdarkly/java-server-sdk 102: a warning for every event that a full buffer
/// drops. fluent/fluentd 601: a warning without the number of events.
#[tokio::test(start_paused = true)]
async fn a_thousand_overflows_are_traced_ten_times_with_their_count() {
    let (log, _guard) = Log::listen(Level::INFO);
    let (probe, _) = ProducerProbe::silent();
    let source = probe.stage().buffer_size(0).spawn();
    for _ in 0..1_000 {
        source.call(emit("a".chars())).await.unwrap();
    }
    assert_eq!(source.stats().discarded, 1_000);
    let lines = log.lines();
    assert_eq!(lines.len(), 10, "{lines:#?}");
    assert!(lines[0].contains("count=1 "), "{lines:#?}");
    assert!(lines[9].contains("count=512 "), "{lines:#?}");
    assert!(
        lines
            .iter()
            .all(|line| line.contains("nobody is subscribed")),
        "{lines:#?}"
    );
}
