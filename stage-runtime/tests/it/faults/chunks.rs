//! A size trigger that races a time trigger.

use std::time::Duration;

use stage_runtime::operators::{chunks_timeout, for_each};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{ProducerProbe, emit};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::common::wiring::demanding;
use crate::common::{seeds, soon};

/// The clock of a timer counts whole milliseconds.
const TICK: Duration = Duration::from_millis(1);

#[test]
fn every_event_is_in_one_chunk_none_too_long_and_none_late() {
    seeds(200, |seed, mut random| async move {
        let max = random.usize(1..8);
        let after = Duration::from_millis(random.u64(0..10));
        let pipeline = Pipeline::new();
        let (probe, _) = ProducerProbe::silent();
        let source = probe.stage().in_group(&pipeline).spawn();
        let chunks = chunks_timeout(max, after)
            .stage()
            .subscribe_to(demanding(source.subscription(), &mut random, 30))
            .in_group(&pipeline)
            .spawn();
        let (sent, mut got) = mpsc::unbounded_channel();
        for_each(move |chunk: Vec<(u64, Instant)>| {
            sent.send((chunk, Instant::now())).unwrap();
        })
        .stage()
        .subscribe_to(chunks.subscription().max_demand(random.usize(1..9)))
        .in_group(&pipeline)
        .spawn();
        let mut next = 0;
        for _ in 0..random.usize(1..40) {
            // Often exactly when the time of a chunk is up.
            let pause = *random
                .choice(&[after, after / 2, TICK, Duration::ZERO])
                .unwrap();
            tokio::time::sleep(pause).await;
            let some = random.u64(1..=max as u64 * 2);
            let now = Instant::now();
            let events = (next..next + some).map(|n| (n, now));
            soon(source.call(emit(events.collect::<Vec<_>>())))
                .await
                .unwrap();
            next += some;
        }
        let in_time = random.bool();
        if in_time {
            // No end comes to help: the last one is emitted by its time alone.
            tokio::time::sleep(after + 2 * TICK).await;
            assert_settled(&pipeline);
        }
        let before_end = got.len();
        soon(pipeline.drain(Duration::from_secs(9))).await.unwrap();
        let mut all = Vec::new();
        let mut count = 0;
        while let Some((chunk, at)) = got.recv().await {
            count += 1;
            assert!((1..=max).contains(&chunk.len()), "seed {seed}: {chunk:?}");
            let waited = at - chunk[0].1;
            assert!(
                waited <= after + 2 * TICK,
                "seed {seed}: {waited:?} {chunk:?}"
            );
            all.extend(chunk.into_iter().map(|(n, _)| n));
        }
        assert_eq!(all, (0..next).collect::<Vec<_>>(), "seed {seed}");
        assert!(!in_time || count == before_end, "seed {seed}");
        assert_settled(&pipeline);
    });
}

/// A chunk that is full when its time is up is emitted once, and the next one
/// has all of its time.
#[tokio::test(start_paused = true)]
async fn the_timer_of_a_chunk_that_is_gone_does_not_end_the_next_one() {
    let (probe, _) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let ms = Duration::from_millis;
    let chunks = chunks_timeout(2, ms(10))
        .stage()
        .subscribe_to(&source)
        .spawn();
    let (probe, mut calls) = stage_test::probe::ConsumerProbe::new();
    probe.stage().subscribe_to(&chunks).spawn();
    calls.producer_joined().await;
    let start = Instant::now();
    soon(source.call(emit([1]))).await.unwrap();
    tokio::time::sleep(ms(8)).await;
    soon(source.call(emit([2, 3]))).await.unwrap();
    assert_eq!(calls.events().await, [vec![1, 2]]);
    assert_eq!(start.elapsed(), ms(8));
    assert_eq!(calls.events().await, [vec![3]]);
    assert_eq!(
        start.elapsed(),
        ms(18),
        "10 ms after the first of its events"
    );
}
